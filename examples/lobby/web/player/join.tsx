import type { FormEvent } from "react";
import { isRoom, type RoomName, rooms } from "../../rooms.js";
import { Mark } from "../shared/mark.js";

interface Props {
  readonly name: string;
  readonly onJoin: (name: string, room: RoomName) => void;
}

const about: { readonly [R in RoomName]: string } = {
  Lobby: "Where everybody arrives",
  Arena: "Team up, and look for a match",
  Tavern: "Stay a while, and talk",
};

export function Join({ name, onJoin }: Props) {
  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const room = String(form.get("room"));
    if (isRoom(room)) onJoin(String(form.get("name")).trim(), room);
  }

  return (
    <main className="stage">
      <form className="card join" onSubmit={submit}>
        <title>Join the lobby</title>
        <header>
          <Mark />
          <h1>Join the lobby</h1>
          <p className="muted">Your name is your account. There is no password: this is a demo.</p>
        </header>
        <label className="field">
          <span>Name</span>
          <input
            name="name"
            defaultValue={name}
            required
            maxLength={20}
            pattern="[\p{L}\p{N}][\p{L}\p{N} ._\-]*"
            title="Letters, digits, spaces, dots and dashes"
            autoComplete="nickname"
            // biome-ignore lint/a11y/noAutofocus: the page has no other purpose
            autoFocus
          />
        </label>
        <fieldset>
          <legend>Room</legend>
          {rooms.map((room, index) => (
            <label key={room} className="choice">
              <input type="radio" name="room" value={room} defaultChecked={index === 0} />
              <span>
                <b>{room}</b>
                <small>{about[room]}</small>
              </span>
            </label>
          ))}
        </fieldset>
        <button type="submit" className="primary wide">
          Join
        </button>
        <p className="footnote">
          Do you work here? <a href="/admin">To the staff’s desk</a>
        </p>
      </form>
    </main>
  );
}
