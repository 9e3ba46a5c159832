import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Announcement, Entry } from "../../../gen/lobby/v1/lobby_pb.js";
import { Avatar } from "../shared/avatar.js";
import { clockTime } from "../shared/time.js";

interface Props {
  readonly entries: readonly Entry[];
  readonly me: string;
}

/** What happened in the room, the newest at the bottom, where the view stays (see player.css). */
export function Entries({ entries, me }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <div className="entries" role="log" aria-label="Messages" tabIndex={0}>
      <ol>
        {entries.map((entry, index) => (
          <Line key={entry.id} entry={entry} before={entries[index - 1]} me={me} />
        ))}
      </ol>
    </div>
  );
}

function Line({
  entry,
  before,
  me,
}: {
  readonly entry: Entry;
  readonly before: Entry | undefined;
  readonly me: string;
}) {
  const { kind, at } = entry;
  switch (kind.case) {
    case "said": {
      const { player, text } = kind.value;
      const goesOn = before?.kind.case === "said" && before.kind.value.player === player;
      return (
        <li className={player === me ? "said mine" : "said"}>
          {!goesOn && (
            <p className="who">
              <Avatar name={player} /> <b>{player}</b> {at && <time>{clockTime(timestampDate(at))}</time>}
            </p>
          )}
          <p className="text">{text}</p>
        </li>
      );
    }
    case "joined":
      return <li className="happened">{kind.value.player} joined</li>;
    case "left": {
      const { player, reason } = kind.value;
      return <li className="happened">{reason === "" ? `${player} left` : `${player} was put out (${reason})`}</li>;
    }
    case "announcement":
      return <li className="happened">The staff: {kind.value.text}</li>;
    case undefined:
      return null; // a sign of life
    default:
      return kind satisfies never;
  }
}

/** Who is here, as far as the entries tell. */
export function peopleIn(entries: readonly Entry[]): readonly string[] {
  const people = new Set<string>();
  for (const { kind } of entries) {
    if (kind.case === "left") people.delete(kind.value.player);
    else if (kind.case === "joined" || kind.case === "said") people.add(kind.value.player);
  }
  return [...people].sort();
}

/** What was announced last. */
export function announcementIn(entries: readonly Entry[]): Announcement | undefined {
  const last = entries.findLast(({ kind }) => kind.case === "announcement");
  return last?.kind.case === "announcement" ? last.kind.value : undefined;
}
