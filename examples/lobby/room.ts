import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { create, fromJsonString, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { type Entry, EntrySchema } from "../gen/lobby/v1/lobby_pb.js";
import { createLog } from "./log.js";

const graceMs = 2_000;

type Kind = NonNullable<MessageInitShape<typeof EntrySchema>["kind"]>;

/** A room: what happened in it, and who is there. */
export interface Room {
  add(kind: Kind): void;
  /** What happened after an entry, and then what will happen. */
  follow(afterId: number, signal: AbortSignal): AsyncGenerator<Entry>;
  /** A stream of a player's has opened. */
  enter(player: string): void;
  /** A stream of a player's has ended, for this reason if it was put out. */
  leave(player: string, reason: string | undefined): void;
}

/**
 * Opens a room that is kept in a file, a line for each entry: a client that comes back after a deploy resumes where it
 * was, although the process that it was talking to is gone.
 */
export function openRoom(file: string): Room {
  const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  const past = lines.filter((line) => line !== "").map((line) => fromJsonString(EntrySchema, line));
  const log = createLog<Entry>((id) => create(EntrySchema, { id }), past);
  const streams = new Map<string, number>();

  function add(kind: Kind): void {
    const entry = log.append((id) => create(EntrySchema, { id, at: timestampNow(), kind }));
    appendFileSync(file, `${toJsonString(EntrySchema, entry)}\n`);
  }

  /** Whether the others think that the player is here: also across a restart, which nobody is told to have left for. */
  function isSeen(player: string): boolean {
    const last = log.entries.findLast(
      ({ kind }) => (kind.case === "joined" || kind.case === "left") && kind.value.player === player,
    );
    return last?.kind.case === "joined";
  }

  return {
    add,
    follow: log.follow,
    enter(player) {
      streams.set(player, (streams.get(player) ?? 0) + 1);
      if (!isSeen(player)) add({ case: "joined", value: { player } });
    },
    leave(player, reason) {
      streams.set(player, (streams.get(player) ?? 1) - 1);
      if (reason === "maintenance") return;
      const tell = (reason: string) => {
        if (streams.get(player) === 0 && isSeen(player)) add({ case: "left", value: { player, reason } });
      };
      if (reason === "kicked" || reason === "banned") tell(reason);
      else setTimeout(tell, graceMs, "").unref(); // who loads the page again, or goes on in another tab, has not left
    },
  };
}
