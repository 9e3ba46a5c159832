import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { AdminService } from "farewell/admin";
import type { Sighting } from "../../../gen/lobby/v1/lobby_pb.js";
import { clockTime } from "../shared/time.js";
import type { Act } from "./act.js";

interface Props {
  readonly sightings: readonly Sighting[];
  readonly admin: Client<typeof AdminService>;
  readonly act: Act;
}

export function Bans({ sightings, admin, act }: Props) {
  const bans = bansIn(sightings);
  if (bans.length === 0) return null;

  const lift = (user: string) =>
    act(async () => {
      const { lifted } = await admin.lift({ selector: { user } });
      return lifted ? `${user} may come back` : `${user} was not banned`;
    });

  return (
    <section aria-labelledby="bans">
      <h2 id="bans">Banned</h2>
      <ul className="rows">
        {bans.map(({ whom, until }) => (
          <li key={whom}>
            <p>
              <b>{whom}</b>
              <small>{until ? `until ${clockTime(timestampDate(until))}` : "for good"}</small>
            </p>
            <button type="button" aria-label={`Unban ${whom}`} onClick={() => lift(whom)}>
              Unban
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Who is banned, as far as the timeline tells: the bouncer keeps bans, and lists none. */
function bansIn(sightings: readonly Sighting[]): readonly Sighting[] {
  const bans = new Map<string, Sighting>();
  for (const sighting of sightings) {
    if (sighting.what === "unbanned") bans.delete(sighting.whom);
    else if (sighting.what === "banned" && sighting.whom !== "") bans.set(sighting.whom, sighting);
  }
  return [...bans.values()].filter(({ until }) => !until || timestampDate(until) > new Date());
}
