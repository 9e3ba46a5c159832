import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { memoryStore } from "farewell/server";

/**
 * A store whose decisions are also in a file, so that a server that was killed knows them when it is born anew. Places of
 * logins, and rate limits, end with the process.
 */
export function journalStore(file) {
  const memory = memoryStore();
  const kept = ["record", "restrict", "consume", "lift"];
  if (existsSync(file)) {
    for (const line of readFileSync(file, "utf8").split("\n").filter(isWhole)) {
      const { method, args } = JSON.parse(line, revived);
      memory[method](...args);
    }
  }
  const journaled = kept.map((method) => [
    method,
    (...args) => {
      appendFileSync(file, `${JSON.stringify({ method, args })}\n`); // first: what is carried out is on record
      return memory[method](...args);
    },
  ]);
  return { ...memory, ...Object.fromEntries(journaled) };
}

/** A process that is killed may leave half of a line. */
function isWhole(line) {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

const dates = new Set(["at", "until", "retryAt"]);

function revived(key, value) {
  return dates.has(key) && typeof value === "string" ? new Date(value) : value;
}
