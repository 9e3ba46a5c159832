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
