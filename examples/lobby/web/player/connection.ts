import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { createClient, createSession, method, type Session } from "farewell";
import { browser } from "farewell/browser";
import { type Announcement, type Entry, LobbyService } from "../../../gen/lobby/v1/lobby_pb.js";
import { reportEvents } from "../shared/report.js";
import { type Seat, seats } from "./seat.js";

/** One player's session with the game server. */
export interface Connection {
  readonly seat: Seat;
  readonly session: Session;
  /** Follows the room. Where the connection is lost, it goes on after the last entry. */
  follow(signal: AbortSignal): AsyncIterable<Entry>;
  say(text: string): Promise<unknown>;
  /** By a decision of the player's: after a kick, or to have the place that another tab has taken. */
  rejoin(): void;
}

export function connect(gameUrl: string, taken: Seat): Connection {
  let seat = taken;
  const introduce: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Player ${encodeURIComponent(seat.name)}:${seat.login}`);
    request.header.set("lobby-room", seat.room);
    return next(request);
  };
  // No control stream: over HTTP/1.1 a browser has six connections to one origin, for all of its tabs together.
  const session = createSession(createConnectTransport({ baseUrl: gameUrl, interceptors: [introduce] }), {
    extensions: [browser({ account: seat.name })], // pauses when the page cannot go on, and knows of a ban after a reload
    policies: { network: { initialMs: 1_000, maxMs: 10_000 } }, // people wait here; the other reasons keep their defaults
    methods: [
      method(LobbyService.method.subscribe, {
        endless: true,
        idleTimeoutMs: 15_000, // the server gives a sign of life every five seconds
        resume: (request, last) => ({ ...request, afterId: last.id }),
        position: ({ id }) => id,
      }),
    ],
  });
  const lobby = createClient(LobbyService, session);
  reportEvents(session, seat.name);

  /** If the server is cut off before it can say goodbye, then this was why. */
  function heed({ at, backAt, text }: Announcement): void {
    if (!at || !backAt || timestampDate(at) < new Date()) return; // an old one, read again
    session.notice({ reason: "maintenance", message: text, retryAt: timestampDate(backAt) }, timestampDate(at));
  }

  return {
    seat,
    session,
    async *follow(signal) {
      for await (const entry of lobby.subscribe({ room: seat.room }, { signal })) {
        if (entry.kind.case === "announcement") heed(entry.kind.value);
        yield entry;
      }
    },
    say: (text) => lobby.say({ room: seat.room, text }),
    rejoin() {
      seat = seats.take(seat.name, seat.room); // a new login: the old one has lost its place
      session.restart();
    },
  };
}
