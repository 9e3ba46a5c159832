import { styleText } from "node:util";
import { type BuiltInReason, builtInReasons, type Disconnect, type Session } from "farewell";

const colours: { readonly [R in BuiltInReason]: "red" | "yellow" | "magenta" } = {
  kicked: "red",
  banned: "red",
  superseded: "red",
  unauthenticated: "yellow",
  maintenance: "yellow",
  throttled: "yellow",
  aborted: "magenta",
  network: "magenta",
};

/** Tells what a session understands, and what it decides. */
export function narrate(session: Session, log: (text: string) => void, told: (disconnect: Disconnect) => void): void {
  const decided = (what: string, why: string) =>
    log(`decided     ${styleText("cyan", what)}  ${styleText("dim", `(${why})`)}`);
  for (const reason of builtInReasons) {
    session.on(reason, (disconnect) => {
      told(disconnect);
      log(`understood  ${shown(disconnect)}`);
    });
  }
  session.on("reconnecting", ({ afterMs, why }) => decided(`back in ${(afterMs / 1000).toFixed(2)} s`, why));
  session.on("reconnected", ({ downMs }) => {
    log(`${styleText("green", "is back")}     after ${(downMs / 1000).toFixed(2)} s`);
  });
  session.on("ended", ({ why }) => decided("end the session", why));
  session.on("streamEnded", ({ outcome, why = "" }) => {
    if (outcome === "stopped" && session.state.status !== "ended") decided("stop", why);
  });
}

export function painted(reason: BuiltInReason): string {
  return styleText("bold", styleText(colours[reason], reason));
}

function shown(disconnect: Disconnect<BuiltInReason>): string {
  const { reason, said, source, message } = disconnect;
  const parts = [`${said ? "said by the server" : "inferred"} (${source})`];
  if ("code" in disconnect && disconnect.code !== undefined) parts.push(`code ${disconnect.code}`);
  if ("by" in disconnect && disconnect.by !== undefined) parts.push(`by ${disconnect.by}`);
  if ("until" in disconnect && disconnect.until) parts.push(`until ${minute(disconnect.until)}`);
  if ("retryAt" in disconnect && disconnect.retryAt) {
    parts.push(`back in ${((disconnect.retryAt.getTime() - Date.now()) / 1000).toFixed(1)} s`);
  }
  if (message !== "") parts.push(`“${message}”`);
  return `${painted(reason)}  ${parts.join(" · ")}`;
}

function minute(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
