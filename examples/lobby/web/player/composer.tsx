import { ConnectError } from "@connectrpc/connect";
import { disconnectOf } from "farewell";
import { type FormEvent, useState } from "react";

/** What is not sent stays in the field: a unary call is not repeated by itself, for it may have arrived. */
export function Composer({ onSay }: { readonly onSay: (text: string) => Promise<unknown> }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string>();

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (text.trim() === "") return;
    try {
      await onSay(text.trim());
      setText("");
      setProblem(undefined);
    } catch (error) {
      const lost = disconnectOf(error)?.reason === "network";
      setProblem(`Not sent: ${lost ? "there is no connection" : ConnectError.from(error).rawMessage}`);
    }
  }

  return (
    <form className="composer" onSubmit={submit}>
      <p role="alert" className="problem">
        {problem}
      </p>
      <label>
        <span className="unseen">Message</span>
        <input
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder="Say something"
          maxLength={500}
          autoComplete="off"
        />
      </label>
      <button type="submit" className="primary">
        Send
      </button>
    </form>
  );
}
