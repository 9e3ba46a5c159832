import { ConnectError } from "@connectrpc/connect";
import { useSession, useStream } from "farewell/react";
import { useState } from "react";
import type { Sighting } from "../../../gen/lobby/v1/lobby_pb.js";
import { Bans } from "./bans.js";
import { Deploy } from "./deploy.js";
import type { Desk } from "./desk.js";
import { Players } from "./players.js";
import { Timeline } from "./timeline.js";
import { usePlayers } from "./use-players.js";

interface Props {
  readonly desk: Desk;
  /** The token is not the right one. */
  readonly onDenied: () => void;
}

const none: readonly Sighting[] = [];
const remember = (sightings: readonly Sighting[], sighting: Sighting) =>
  sighting.what === "" ? sightings : [...sightings, sighting].slice(-500);

export function DeskPage({ desk, onDenied }: Props) {
  const { timeline, session, admin } = desk;
  const state = useSession(session);
  const {
    value: sightings,
    status,
    error,
  } = useStream((signal) => timeline.watch({}, { signal }), [timeline], remember, none);
  const players = usePlayers(admin);
  const [answer, setAnswer] = useState("");

  /** Says what has come of something that the staff did. */
  async function act(work: () => Promise<string>): Promise<void> {
    try {
      setAnswer(await work());
    } catch (error) {
      setAnswer(ConnectError.from(error).rawMessage);
    }
  }

  if (status === "failed") {
    return (
      <main className="stage">
        <section className="card">
          <h1>Not let in</h1>
          <p>{ConnectError.from(error).rawMessage}</p>
          <button type="button" className="primary wide" onClick={onDenied}>
            Use another token
          </button>
        </section>
      </main>
    );
  }
  return (
    <div className="desk">
      <title>Staff – Lobby</title>
      <header>
        <h1>Staff’s desk</h1>
        <p className={players ? "state good" : "state bad"}>Game server: {players ? "up" : "away"}</p>
        <p role="status" className="answer">
          {answer}
        </p>
      </header>
      <main>
        <Players players={players} admin={admin} act={act} />
        <Deploy desk={desk} act={act} />
        <Bans sightings={sightings} admin={admin} act={act} />
      </main>
      <Timeline sightings={sightings} isLive={state.status === "healthy" || state.status === "recovering"} />
    </div>
  );
}
