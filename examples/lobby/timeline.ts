import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate, timestampNow } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type Sighting, SightingSchema, type TimelineService } from "../gen/lobby/v1/lobby_pb.js";
import { staffOnly } from "./identity.js";
import { createLog } from "./log.js";
import type { GameEvent } from "./supervise.js";

/** What the server did, beside what each client understood. */
export interface Timeline {
  /** Writes down what became of the game server, or what it has decided. */
  note(event: GameEvent): void;
  readonly service: ServiceImpl<typeof TimelineService>;
}

export function createTimeline(token: string, crash: () => void): Timeline {
  const log = createLog<Sighting>((id) => create(SightingSchema, { id }));
  const add = (sighting: MessageInitShape<typeof SightingSchema>) => {
    log.append((id) => create(SightingSchema, { ...sighting, id }));
  };

  return {
    note(event) {
      const seen = { at: timestampNow(), who: "server" };
      if (event.type === "listening") add({ ...seen, what: "started", why: `on port ${event.port}` });
      else if (event.type === "stopped") {
        add({ ...seen, what: "stopped", why: event.code === 0 ? "drained" : `crashed (${event.code ?? "killed"})` });
      } else {
        const { at, until, ...decision } = event.decision;
        const times = { at: timestampFromDate(at), ...(until && { until: timestampFromDate(until) }) };
        add({ ...seen, ...decision, ...times });
      }
    },
    service: {
      // Open to all, like the names of the players: a demo.
      report({ sightings }) {
        if (sightings.length > 100) throw new ConnectError("at most 100 sightings", Code.InvalidArgument);
        for (const { at, who, what, why } of sightings) {
          add({ at: at ?? timestampNow(), who: who.slice(0, 60), what: what.slice(0, 40), why: why.slice(0, 300) });
        }
        return {};
      },
      async *watch({ afterId }, { requestHeader, signal }) {
        staffOnly(requestHeader, token);
        yield* log.follow(afterId, signal);
      },
      crash(_, { requestHeader }) {
        staffOnly(requestHeader, token);
        crash();
        return {};
      },
    },
  };
}
