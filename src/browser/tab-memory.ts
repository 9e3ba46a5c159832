import { expected, functionOr, numberIn, objectOf } from "#check";
import { lastResort } from "../ports/guarded.js";
import type { Attached, Extension, Moment, SessionPort } from "../session/extension.js";
import { createGuard, type Guard } from "./guard.js";
import { type Plan, planMovedBy, storageName } from "./known.js";
import { type Holds, isLasting, recall } from "./recall.js";
import { createShelf, type Memory } from "./shelf.js";

/** Options of `tabMemory`. */
export interface TabMemoryOptions {
  /** Whose memory it is, such as a user's id; with several servers, name the server in it. Only a hash is stored. */
  readonly account: string;
  /** For so many ms after a kick, a new page and other tabs stay out without asking the server. @default 60_000 */
  readonly coolDownMs?: number | undefined;
  /** A ban is held for its time, but for no longer than so many ms; then the server is asked again. @default 86_400_000 */
  readonly rememberMs?: number | undefined;
  /** Gets what the browser refuses: disabled storage, a full quota. @default nothing, for it is no fault */
  readonly reportError?: ((error: unknown) => unknown) | undefined;
}

export const memoryOptions: readonly (keyof TabMemoryOptions)[] = [
  "account",
  "coolDownMs",
  "rememberMs",
  "reportError",
];

/** A turn begins so many ms after the one before: its outcome comes by another way than the lock. */
const settleMs = 50;

/**
 * A memory, for one session, that outlives a reload and is shared by all tabs of an account: bans, the time after a kick, the rate limit,
 * and whose turn it is to try after an outage. Over `localStorage`, `BroadcastChannel` and Web Locks; without any of
 * them, it does what the others allow. `session.restart()` lifts a verdict here, too.
 *
 * @throws TypeError that names the option
 * @example
 * const session = createSession(transport, { extensions: [tabMemory({ account: user.id })] });
 */
export function tabMemory(options: TabMemoryOptions): Extension {
  const { account, coolDownMs = 60_000, rememberMs = 86_400_000, reportError = () => {} } = options;
  objectOf("options", options, memoryOptions);
  expected(typeof account === "string" && account !== "", "account", account, "the id of a user");
  numberIn("coolDownMs", coolDownMs, 0);
  numberIn("rememberMs", rememberMs, 0);
  functionOr("reportError", reportError);
  const memory: Memory = { name: storageName(account), known: {} };
  return (session) => attach(session, memory, { coolDownMs, rememberMs }, createGuard(lastResort(reportError)));
}

function attach({ clock, consult }: SessionPort, memory: Memory, holds: Holds, guarded: Guard): Attached {
  const shelf = createShelf(memory, clock, guarded);
  let adopted: unknown; // the phase that came from another tab: no news to tell
  const tell = (plan: Plan, { now, wall }: Moment) => shelf.write({ plan: planMovedBy(wall - now, plan) });
  return {
    recall(state, rules, moment, first) {
      shelf.read();
      const adoption = guarded(() => recall(state, memory.known, rules, moment, first, holds));
      if (adoption && adoption.phase !== state.phase) adopted = adoption.phase;
      return adoption;
    },
    stepped({ before: { phase: from }, state: { phase: to, bucket }, moment }) {
      if (from === to || to === adopted) return;
      const { now, wall } = moment;
      if (to.status === "ended" && isLasting(to.disconnect)) {
        shelf.write({ verdict: { ...to, at: wall } });
      } else if (from.status === "ended" && to.status === "healthy" && isLasting(from.disconnect)) {
        shelf.write({ verdict: { at: wall, why: "lifted" } });
      } else if (to.status === "waiting" && to.until > now) {
        tell({ at: now, bucket, wait: to }, moment);
      } else if (to.status === "recovering" && to.passed && !to.outage.down) {
        tell({ at: now, bucket, openAt: now }, moment);
      }
    },
    watch: () => shelf.watch(consult),
    turn: (signal) =>
      new Promise((resolve) => {
        const over = new Promise((end) => signal.addEventListener("abort", end));
        const hold = () => {
          clock.sleep(settleMs, signal).then(resolve, resolve);
          return over;
        };
        const denied = (error: unknown) => {
          guarded(() => {
            if (!signal.aborted) throw error;
          });
          resolve(); // each for itself
        };
        const { name } = memory;
        guarded(() => globalThis.navigator?.locks?.request(name, { signal }, hold).catch(denied)) ?? resolve();
      }),
  };
}
