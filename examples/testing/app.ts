import type { Session } from "farewell";

/** What this app shows to its user. */
export interface Screen {
  dialog(text: string): void;
  banner(text: string | undefined): void;
}

/** The part of an app that a test should cover: what the user gets to see when a stream ends. */
export function explain(session: Session, screen: Screen): void {
  session.onKicked(({ code, message }) => {
    screen.dialog(code === "afk" ? "You were away for a while. Sign in to go on." : message);
  });
  session.onMaintenance(({ retryAt }) => {
    screen.banner(retryAt ? `Back at ${retryAt.toISOString().slice(11, 16)} UTC` : "Back soon");
  });
  session.on("reconnected", () => screen.banner(undefined));
}
