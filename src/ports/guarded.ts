/**
 * Calls what an app has handed in, which may be async. What it throws, or rejects with, goes to `failed`, which must not throw.
 * Resolves when it is over, and never rejects.
 */
export async function guarded(call: () => unknown, failed: (error: unknown) => void): Promise<void> {
  try {
    await call();
  } catch (error) {
    failed(error);
  }
}

/** The last place where failures are told: one that fails itself, now or later, is told of to nobody. */
export function lastResort(reportError: (error: unknown) => unknown): (error: unknown) => void {
  return (error) =>
    void guarded(
      () => reportError(error),
      () => {}, // there is nobody left to tell
    );
}

/**
 * An answer that is needed at once. What it rejects with, if it is a promise, goes to `failed`, which must not throw.
 *
 * @throws TypeError where it is a promise
 */
export function atOnce<T>(answer: T, failed: (error: unknown) => void = () => {}): T {
  if (typeof (answer as { readonly then?: unknown } | undefined | null)?.then !== "function") return answer;
  void guarded(() => answer, failed);
  throw new TypeError("a promise came, where the answer is needed at once");
}

/** What an app answers at once, or `undefined` where it fails to: `failed` gets that, and must not throw. */
export function answerOf<T>(ask: () => T, failed: (error: unknown) => void): T | undefined {
  try {
    return atOnce(ask(), failed);
  } catch (error) {
    failed(error);
    return undefined;
  }
}
