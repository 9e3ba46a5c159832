import { useSession, useStream } from "farewell/react";
import type { Entry } from "../../../gen/lobby/v1/lobby_pb.js";
import { Avatar } from "../shared/avatar.js";
import { Banner } from "./banner.js";
import { Composer } from "./composer.js";
import type { Connection } from "./connection.js";
import { announcementIn, Entries, peopleIn } from "./entries.js";
import { Farewell } from "./farewell.js";

interface Props {
  readonly connection: Connection;
  readonly onLeave: () => void;
}

const none: readonly Entry[] = [];
const remember = (entries: readonly Entry[], entry: Entry) => [...entries, entry].slice(-500);

export function Room({ connection, onLeave }: Props) {
  const { seat, session, say } = connection;
  const state = useSession(session);
  const stream = useStream(connection.follow, [connection], remember, none);

  function rejoin(): void {
    connection.rejoin();
    stream.again();
  }

  if (state.status === "ended") {
    return <Farewell disconnect={state.disconnect} onRejoin={rejoin} onLeave={onLeave} />;
  }
  const people = peopleIn(stream.value);
  return (
    <div className="room">
      <title>{`${seat.room} – Lobby`}</title>
      <header>
        <div>
          <h1>{seat.room}</h1>
          <p className="muted">{people.length === 1 ? "1 player here" : `${people.length} players here`}</p>
        </div>
        <p className="me">
          <Avatar name={seat.name} /> <b>{seat.name}</b>
        </p>
        <button type="button" onClick={onLeave}>
          Leave
        </button>
      </header>
      <Banner session={session} state={state} stream={stream} announcement={announcementIn(stream.value)} />
      <main>
        <Entries entries={stream.value} me={seat.name} />
        <Composer onSay={say} />
      </main>
      <aside aria-labelledby="here">
        <h2 id="here">Here now</h2>
        <ul className="people">
          {people.map((name) => (
            <li key={name}>
              <Avatar name={name} /> {name} {name === seat.name && <small>you</small>}
            </li>
          ))}
        </ul>
      </aside>
    </div>
  );
}
