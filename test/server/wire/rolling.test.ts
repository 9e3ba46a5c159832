import { expect, test, vi } from "vitest";
import { collect } from "../../in-memory.js";
import { someOf } from "../../runs.js";
import { leaveNothing, patience } from "../../wire/leave-nothing.js";
import { startRelay } from "../../wire/relay.js";
import { soonForAll } from "../../wire/session-at.js";
import { login } from "./guest.js";
import { pairs, startGuardedServer } from "./servers.js";

// A rolling deploy behind a balancer of connections: who is put out of one server must not come back to it.

const own = leaveNothing();

test.each(someOf(pairs, 3))(
  "through %s, %s, all come back to the next server, and none to the old one",
  async (mount, client) => {
    const [old, next] = [own(await startGuardedServer(mount)), own(await startGuardedServer(mount))];
    const relay = own(await startRelay(old.url));
    const guests = Array.from({ length: 5 }, (_, index) => {
      const headers = { user: `u${index}`, session: `s${index}` };
      const { chat, lines } = login(own, relay, client, { headers, policies: soonForAll });
      return { lines, ...collect(chat.subscribe({})) };
    });
    await vi.waitFor(() => expect(old.bouncer.count()).toBe(5), patience);
    relay.lead(next.url);
    expect(await old.bouncer.drain({ overMs: 50 })).toMatchObject({ matched: 5, told: 5 });
    await vi.waitFor(() => expect(next.bouncer.count()).toBe(5), patience);
    expect(old.requests()).toBe(5);
    expect(next.requests()).toBe(5);
    for (const { lines } of guests) expect(lines.filter((line) => line.startsWith("network"))).toEqual([]);
  },
);
