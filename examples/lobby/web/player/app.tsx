import { useState } from "react";
import type { RoomName } from "../../rooms.js";
import type { Connection } from "./connection.js";
import { Join } from "./join.js";
import { Room } from "./room.js";
import { type Seat, seats } from "./seat.js";

interface Props {
  readonly connectTo: (seat: Seat) => Connection;
  /** The connection of the seat that was taken before a reload. */
  readonly initial: Connection | undefined;
}

export function App({ connectTo, initial }: Props) {
  const [connection, setConnection] = useState(initial);
  const [name, setName] = useState(initial?.seat.name ?? "");

  function join(name: string, room: RoomName): void {
    setName(name);
    setConnection(connectTo(seats.take(name, room)));
  }

  function leave(): void {
    seats.leave();
    connection?.session.close();
    setConnection(undefined);
  }

  if (!connection) return <Join name={name} onJoin={join} />;
  return <Room connection={connection} onLeave={leave} />;
}
