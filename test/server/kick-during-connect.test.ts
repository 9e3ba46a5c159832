import { expect, onTestFinished, test } from "vitest";
import { type Identity, memoryStore, type Report, type Selector } from "../../src/server/index.js";
import { runsOf } from "../runs.js";
import { createChance, createPause, createSlowStore } from "./slow-store.js";
import { type Guest, openVenue, type Venue } from "./venue.js";

// A verdict that is carried out while its client is on the way in must leave no survivor: see SERVER.md's first race.

const kinds = ["kick", "ban", "revoke", "supersede"] as const;
type Kind = (typeof kinds)[number];
const reasonOf = { kick: "kicked", ban: "banned", revoke: "unauthenticated", supersede: "superseded" } as const;
const lasts: Record<Kind, boolean> = { kick: false, supersede: false, ban: true, revoke: true };

const runs = runsOf(10_000);

test(`${runs} clients that are put out at any moment of their arrival: none survives`, async () => {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // twenty thousand stack traces are half of the work
  onTestFinished(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });
  const chance = createChance(20_300_101);
  const pause = createPause(chance);
  const open = (more: object) =>
    openVenue({ store: createSlowStore(memoryStore(), pause), identified: pause, ...more });
  const venues = [open({}), open({ logins: { max: 99 } })] as const;
  const survivors: string[] = [];
  let inside = 0; // when the verdict came
  let onTheWay = 0;
  let spared = 0; // who came while a kick was carried out may be in time or not

  async function interleave(run: number): Promise<void> {
    const venue = venues[run % 2] as Venue;
    const kind = kinds[Math.floor(chance() * kinds.length)] as Kind;
    const identity = newcomer(run, chance());
    const arrive = () => venue.enter(identity);
    const early: Guest[] = [];
    for (let left = chance() < 0.1 ? 2 : 1; left > 0; left--) {
      early.push(arrive());
      for (let pauses = Math.floor(chance() * 6); pauses > 0; pauses--) await pause();
    }
    for (const { entered } of early) entered ? inside++ : onTheWay++;
    const verdict = decide(venue, kind, identity, chance());
    for (let pauses = Math.floor(chance() * 9); pauses > 0; pauses--) await pause();
    const later = chance() < 0.3 ? [arrive()] : [];
    await verdict;
    if (lasts[kind] && chance() < 0.3) later.push(arrive());
    await Promise.all([...early, ...later].map(({ decided }) => decided));
    await new Promise((resolve) => setImmediate(resolve)); // who has just been let in may be put out by now
    const check = (guest: Guest, when: string) => {
      if (guest.told?.reason !== reasonOf[kind]) survivors.push(`run ${run}, ${kind}, ${when}: ${guest.told?.reason}`);
    };
    for (const guest of early) check(guest, "came before");
    if (lasts[kind]) for (const guest of later) check(guest, "came later");
    else spared += later.filter(({ told }) => told === undefined).length;
    for (const guest of later) guest.leave();
  }

  for (let run = 0; run < runs; run += 250) {
    await Promise.all(Array.from({ length: 250 }, (_, index) => interleave(run + index)));
    for (const { reasons } of venues) reasons.length = 0;
  }
  expect(survivors).toEqual([]);
  expect(Math.min(inside, onTheWay, spared)).toBeGreaterThan(runs / 40); // each of the races did happen
  for (const { bouncer, clock, failures } of venues) {
    await clock.settle();
    expect(bouncer.stats().inside).toEqual({ streams: 0, users: 0, sessions: 0 });
    expect([failures, clock.sleepers]).toEqual([[], 0]);
  }
});

function newcomer(run: number, chance: number): Identity {
  const token = chance < 0.5 ? { epoch: 0 } : { issuedAt: new Date(Date.UTC(2030, 0, 1)) }; // the venue's own now
  return { user: `u${run}`, tags: [`t${run}`], ...(chance % 0.5 < 0.25 && { session: `s${run}` }), ...token };
}

function decide({ bouncer }: Venue, kind: Kind, { user, session, tags }: Identity, chance: number): Promise<Report> {
  const [tag] = tags ?? [];
  const selector: Selector = chance < 0.5 ? { user } : chance < 0.75 || session === undefined ? { tag } : { session };
  return kind === "revoke" ? bouncer.revoke(user as string) : bouncer[kind](selector);
}
