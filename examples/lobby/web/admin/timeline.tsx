import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Sighting } from "../../../gen/lobby/v1/lobby_pb.js";
import { Avatar } from "../shared/avatar.js";

interface Props {
  readonly sightings: readonly Sighting[];
  /** The timeline's own stream is open. */
  readonly isLive: boolean;
}

/** What the server decided, and what each client understood of it: the newest first. */
export function Timeline({ sightings, isLive }: Props) {
  return (
    <section className="timeline" aria-labelledby="timeline">
      <h2 id="timeline">
        Timeline <span className={isLive ? "state good" : "state bad"}>{isLive ? "live" : "reconnecting"}</span>
      </h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <ol tabIndex={0}>
        {sightings.toReversed().map(({ id, at, who, what, why, whom }) => (
          <li key={id} className={who === "server" ? "server" : ""}>
            {at && <time>{timestampDate(at).toLocaleTimeString()}</time>}
            <b>
              {who !== "server" && <Avatar name={who} />} {who}
            </b>
            <span>
              <span className={`what ${toneOf(what)}`}>{what}</span> {whom}
            </span>
            <span className="why">{why}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

const tones: { readonly [tone: string]: readonly string[] } = {
  good: ["connected", "back", "started", "unbanned"],
  bad: ["banned", "network", "aborted", "ended", "stopped"],
  warn: ["kicked", "superseded", "throttled", "unauthenticated", "reconnecting"],
};

function toneOf(what: string): string {
  return Object.keys(tones).find((tone) => tones[tone]?.includes(what)) ?? "note";
}
