import { useState } from "react";
import type { Desk } from "./desk.js";
import { DeskPage } from "./desk-page.js";
import { keepToken } from "./token.js";

interface Props {
  readonly open: (token: string) => Desk;
  /** The desk of a token that was given already. */
  readonly initial: Desk | undefined;
}

export function App({ open, initial }: Props) {
  const [desk, setDesk] = useState(initial);
  if (desk) return <DeskPage desk={desk} onDenied={() => setDesk(undefined)} />;

  function enter(form: FormData): void {
    const token = String(form.get("token")).trim();
    keepToken(token);
    setDesk(open(token));
  }

  return (
    <main className="stage">
      <form className="card" action={enter}>
        <h1>Staff only</h1>
        <p className="muted">The token is in the link that was printed when the lobby was started.</p>
        <label className="field">
          <span>Token</span>
          <input name="token" type="password" required autoComplete="current-password" />
        </label>
        <button type="submit" className="primary wide">
          Open the desk
        </button>
      </form>
    </main>
  );
}
