import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { memoryStore, type Restriction, type Store } from "farewell/server";

/**
 * A store in memory whose bans are also in a file, so that a deploy lifts none. The rest is forgotten with the process:
 * who has which login, and what is still to be told at the door to clients that did not hear their goodbye.
 */
export function fileStore(file: string): Store {
  const memory = memoryStore();
  const bans = new Map(load(file).map((restriction) => [restriction.key, restriction]));
  const now = Date.now();
  for (const restriction of bans.values()) memory.restrict(restriction, now);

  return {
    ...memory,
    record(entry) {
      for (const restriction of entry.restrictions.filter(({ words }) => words.reason === "banned")) {
        bans.set(restriction.key, restriction);
        save(file, bans); // first: a ban that is carried out is on record
      }
      return memory.record(entry);
    },
    lift(key, now) {
      bans.delete(key);
      save(file, bans);
      return memory.lift(key, now);
    },
  };
}

function save(file: string, bans: ReadonlyMap<string, Restriction>): void {
  writeFileSync(file, JSON.stringify([...bans.values()]));
}

function load(file: string): readonly Restriction[] {
  if (!existsSync(file)) return [];
  return JSON.parse(readFileSync(file, "utf8"), (key, value) =>
    key === "until" && typeof value === "string" ? new Date(value) : value,
  );
}
