/** Tries what a browser may refuse: disabled storage, a full quota. `undefined` where it does. */
export type Guard = <T>(what: () => T) => T | undefined;

/** What is refused goes to `reportError`, each kind once, or every read would tell it. */
export function createGuard(reportError: (error: unknown) => void): Guard {
  const reported = new Set<string>();
  return (what) => {
    try {
      return what();
    } catch (error) {
      if (!reported.has(String(error))) {
        reported.add(String(error));
        reportError(error);
      }
      return undefined;
    }
  };
}
