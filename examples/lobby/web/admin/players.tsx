import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { AdminService } from "farewell/admin";
import { useState } from "react";
import { clockTime } from "../shared/time.js";
import { type Act, inWords } from "./act.js";
import type { Player } from "./use-players.js";

interface Props {
  readonly players: readonly Player[] | undefined;
  readonly admin: Client<typeof AdminService>;
  readonly act: Act;
}

const banMs = 600_000;

export function Players({ players, admin, act }: Props) {
  const [message, setMessage] = useState("");

  const kick = (user: string) =>
    act(async () => inWords(`Kicked ${user}`, (await admin.kick({ selector: { user }, message })).outcome));

  const ban = (user: string, ms?: number) =>
    act(async () => {
      const until = ms === undefined ? {} : { until: timestampFromMs(Date.now() + ms) };
      const { outcome } = await admin.ban({ selector: { user }, message, ...until });
      return inWords(`Banned ${user} ${ms === undefined ? "for good" : "for 10 minutes"}`, outcome);
    });

  return (
    <section aria-labelledby="players">
      <h2 id="players">Players</h2>
      <label className="field">
        <span>What they are told</span>
        <input
          value={message}
          onChange={(event) => setMessage(event.target.value)}
          placeholder="Please be kind"
          maxLength={200}
        />
      </label>
      <ul className="rows">
        {players?.map(({ id, user = "", tags, since }) => (
          <li key={id}>
            <p>
              <b>{user}</b>
              <small>
                {tags.map((tag) => tag.replace("room:", "")).join(", ")}
                {since && ` since ${clockTime(timestampDate(since))}`}
              </small>
            </p>
            <button type="button" aria-label={`Kick ${user}`} onClick={() => kick(user)}>
              Kick
            </button>
            <button type="button" aria-label={`Ban ${user} for 10 minutes`} onClick={() => ban(user, banMs)}>
              Ban 10 min
            </button>
            <button type="button" className="danger" aria-label={`Ban ${user} for good`} onClick={() => ban(user)}>
              Ban
            </button>
          </li>
        ))}
      </ul>
      {players?.length === 0 && <p className="muted">Nobody is here.</p>}
      {!players && <p className="muted">The game server does not answer.</p>}
    </section>
  );
}
