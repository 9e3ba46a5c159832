import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { FormEvent } from "react";
import type { Act } from "./act.js";
import type { Desk } from "./desk.js";

interface Props {
  readonly desk: Desk;
  readonly act: Act;
}

const overMs = 1_000; // players are put out one after the other, over so long
const text = "A new version is coming";

/** Two ways in which a server goes: announced and drained, with a time to come back; or without a word. */
export function Deploy({ desk: { admin, lobby, timeline }, act }: Props) {
  function deploy(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const warnMs = Number(form.get("warn")) * 1_000;
    const awayMs = Number(form.get("away")) * 1_000;
    void act(async () => {
      const at = Date.now() + warnMs;
      const backAt = at + awayMs;
      await lobby.announce({ announcement: { at: timestampFromMs(at), backAt: timestampFromMs(backAt), text } });
      await new Promise((resolve) => setTimeout(resolve, warnMs)); // a demo: in earnest, a server plans its own deploy
      const drain = { over: durationFromMs(overMs), backAfter: durationFromMs(backAt - Date.now()), message: text };
      let told = 0;
      try {
        for await (const { outcome } of admin.drain(drain)) told = outcome?.told ?? told;
      } catch (error) {
        if (told === 0) throw error; // else the server has gone before its last word
      }
      return `Deployed: ${told} told`;
    });
  }

  const crash = () =>
    act(async () => {
      await timeline.crash({});
      return "The game server was killed";
    });

  return (
    <section aria-labelledby="server">
      <h2 id="server">Game server</h2>
      <form onSubmit={deploy} className="deploy">
        <label className="field">
          <span>Warn (seconds)</span>
          <input name="warn" type="number" min={1} max={60} defaultValue={10} required />
        </label>
        <label className="field">
          <span>Away (seconds)</span>
          <input name="away" type="number" min={3} max={600} defaultValue={12} required />
        </label>
        <button type="submit" className="primary">
          Deploy
        </button>
        <button type="button" className="danger" onClick={crash}>
          Crash it
        </button>
      </form>
    </section>
  );
}
