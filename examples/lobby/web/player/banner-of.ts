import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import type { SessionState } from "farewell";
import type { Announcement } from "../../../gen/lobby/v1/lobby_pb.js";
import { clockTime } from "../shared/time.js";

/** What the banner says. */
export interface BannerText {
  readonly tone: "note" | "warn" | "bad" | "good";
  readonly text: string;
  /** What is counted down to, epoch ms, behind these words. */
  readonly countdown?: { readonly words: string; readonly until: number };
  readonly action?: "retry" | "again";
}

/** What is known beside the state. */
interface Known {
  readonly status: "pending" | "open" | "complete" | "failed";
  readonly error: unknown;
  readonly announcement: Announcement | undefined;
  /** It has come back just now. */
  readonly isBack: boolean;
}

/** What the player has to know about the connection: the worst first, or nothing where all is well. Pure. */
export function bannerOf(
  state: SessionState,
  { status, error, announcement, isBack }: Known,
  now: number,
): BannerText | undefined {
  switch (state.status) {
    case "paused":
      return state.why === "offline"
        ? { tone: "bad", text: "You are offline. The room comes back with your connection." }
        : { tone: "note", text: "Paused" };
    case "waiting":
      return waiting(state);
    case "refreshing":
    case "probing":
      return { tone: "warn", text: "Reconnecting…" };
    case "recovering":
      if (state.outage.down) return { tone: "warn", text: "Reconnecting…" };
      break;
    case "idle":
    case "connecting":
    case "healthy":
    case "ended":
    case "closed":
      break;
    default:
      return state satisfies never;
  }
  if (status === "failed") return { tone: "bad", text: `${ConnectError.from(error).rawMessage}.`, action: "again" };
  if (isBack) return { tone: "good", text: "Back. You missed nothing." };
  if (status === "pending") return { tone: "note", text: "Joining…" };
  const at = announcement?.at && timestampDate(announcement.at).getTime();
  if (!announcement || at === undefined || at <= now) return undefined;
  return { tone: "note", text: `Maintenance: ${announcement.text}.`, countdown: { words: "It begins in", until: at } };
}

function waiting({ outage: { disconnect }, until }: Extract<SessionState, { status: "waiting" }>): BannerText {
  switch (disconnect.reason) {
    case "maintenance": {
      const { retryAt, message } = disconnect;
      const back = retryAt ? `Back at ${clockTime(retryAt)}.` : "Back soon.";
      return {
        tone: "note",
        text: `Maintenance${message && `: ${message}`}. ${back}`,
        countdown: { words: "In", until },
      };
    }
    case "throttled":
      return { tone: "warn", text: "The server is busy.", countdown: { words: "Next try in", until } };
    default:
      return { tone: "bad", text: "Connection lost.", countdown: { words: "Next try in", until }, action: "retry" };
  }
}
