// The rooms count the time, by the clock that all processes of a machine share. So a server that was born anew goes on where
// the one before it was, and a message's position says when it was due.

const now = () => Number(process.hrtime.bigint() / 1_000_000n);

/** The time from which positions are counted; the processes are told. */
export const beginning = now;

/** The position that is the last at this moment. Positions begin with 1. */
export function latest(startedAt, intervalMs) {
  return Math.floor((now() - startedAt) / intervalMs) + 1;
}

/** In how many ms the next one comes. */
export function untilNext(startedAt, intervalMs) {
  return intervalMs - ((now() - startedAt) % intervalMs);
}

/** What a message says: nothing else may arrive under its position. */
export const textOf = (run, room, id) => `${run}/${room}#${id}`;
export const runOf = (text) => text.slice(0, text.indexOf("/"));
