/** Where a wait is no number, such as after a wrong option in a production bundle that has no checks; in ms. */
const unknownMs = 45_000;

/** A wait in ms that can be waited for: 0 or more, and finite. Whatever else an app has calculated is a long one. */
export function finiteMs(ms: number, otherwiseMs: number = unknownMs): number {
  return Number.isFinite(ms) && ms >= 0 ? ms : otherwiseMs;
}
