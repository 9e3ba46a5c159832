/** Bytes in use, once a collection frees nothing more: finalizers of one free what the next collects. */
export async function heapUsed() {
  let [before, used] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  do {
    before = used;
    await new Promise((turn) => setTimeout(turn, 50));
    globalThis.gc();
    used = Math.min(before, process.memoryUsage().heapUsed);
  } while (before - used > 1_000);
  return used;
}
