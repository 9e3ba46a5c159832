import type { Client } from "@connectrpc/connect";
import type { AdminService } from "farewell/admin";
import { useEffect, useState } from "react";

const everyMs = 1_000;

export type Player = Awaited<ReturnType<Client<typeof AdminService>["list"]>>["streams"][number];

/** Who is inside, asked for each second. `undefined`: the game server does not answer. */
export function usePlayers(admin: Client<typeof AdminService>): readonly Player[] | undefined {
  const [players, setPlayers] = useState<readonly Player[]>();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const life = new AbortController();
    const ask = async () => {
      const answer = await admin.list({ selector: { all: true } }, { signal: life.signal }).catch(() => undefined);
      if (life.signal.aborted) return;
      setPlayers(answer?.streams);
      timer = setTimeout(ask, everyMs);
    };
    void ask();
    return () => {
      life.abort();
      clearTimeout(timer);
    };
  }, [admin]);
  return players;
}
