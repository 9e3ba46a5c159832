import type { Transport } from "@connectrpc/connect";
import { local } from "../disconnect/classify.js";
import { errorOf } from "../disconnect/error-of.js";
import { attemptOfVerdict } from "../machine/lost.js";
import { needsCredentials } from "../machine/refresh.js";
import type { Rules } from "../machine/state.js";
import type { Clock } from "../ports/clock.js";
import { type Promised, promised } from "../stream/promised.js";
import { closedError } from "./closed.js";
import type { Driver } from "./driver.js";
import { createRenewal } from "./expiry.js";
import type { Attached } from "./extension.js";
import { createRefresher, type Refresh, type RefreshAnswer } from "./refresh.js";
import { decideOrDefault } from "./stream-host.js";

/** The credentials of a session: asked for where streams were refused, when the app says so, and ahead of their end. */
export interface Credentials extends Attached {
  /** It is the signal that the app's `refresh` has got. */
  isOwn(signal: AbortSignal | undefined): boolean;
  /** Where nothing may go out with those of now: resolves when that may have changed. */
  wait(): Promise<void> | undefined;
  /** Another with each success, so that a call can tell whether it was sent with those of now. */
  readonly generation: number;
  /** It may be time for the next ones. */
  look(): void;
  ask(): Promise<boolean>;
  /** The machine wants them. */
  start(): void;
  /** The machine wants them no more. */
  cancel(): void;
}

export interface CredentialsOptions {
  readonly refresh: Refresh | undefined;
  readonly refreshTimeoutMs: number;
  readonly expiresAt: (() => Date | undefined) | undefined;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly reportError: (error: unknown) => void;
  /** There are new ones. */
  readonly refreshed: () => void;
  readonly driver: () => Driver;
  readonly rules: Pick<Rules, "rateLimit">;
}

const signedOut = "unauthenticated: signed out";

export function createCredentials(options: CredentialsOptions): Credentials {
  const { clock, reportError, driver, refresh = none } = options;
  const refresher = createRefresher({ ...options, refresh, answered });
  const { rateLimit } = options.rules;
  const renewal = createRenewal({ ...options, rateLimit, due: () => driver().feed({ type: "refresh due" }) });
  let gate: Promised<void> | undefined;
  let generation = 0;
  let waitMs = 0; // after the last failure
  let ahead = false; // the flight was begun while those of now held still

  function ask(early = false): Promise<boolean> {
    ahead = early && (ahead || !refresher.flight);
    return refresher.ask();
  }

  function answered(result: RefreshAnswer): void {
    if ("error" in result) failed(result.error);
    else if (result.answer === false) {
      driver().feed({ type: "refused", disconnect: local("unauthenticated", "signed out"), why: signedOut });
    } else {
      generation++;
      renewal.begin(result.answer);
      options.refreshed();
      driver().feed({ type: "refreshed" });
    }
  }

  /** Again as the policy of `network` says, where somebody waits or those of now will end. */
  function failed(error: unknown): void {
    reportError(error);
    const { machine, rules, moment, feed } = driver();
    const text = error instanceof Error ? error.message : error;
    const disconnect = local("network", `the refresh failed: ${text}`);
    const number = machine.refreshFailures + 1;
    const place = { number, ofOutage: number, wasHealthy: machine.connected, previousMs: number > 1 ? waitMs : 0 };
    const attempt = { ...attemptOfVerdict(machine, rules, moment(), place), windowMs: undefined };
    const decided = decideOrDefault(driver(), disconnect, attempt, reportError);
    const why = `unauthenticated: ${disconnect.message}; ${decided.why}`;
    const again = decided.action === "reconnect" && (renewal.endsAt !== undefined || needsCredentials(machine));
    if (again) {
      waitMs = decided.afterMs;
      renewal.again(waitMs);
    }
    feed({ type: "refresh failed", error, decision: again ? { ...decided, why } : { action: "end", why } });
  }

  function blocked(): boolean {
    const holds = ahead && renewal.endsAt !== undefined && clock.now() < renewal.endsAt;
    return needsCredentials(driver().machine) || (refresher.flight !== undefined && !holds);
  }

  /** What no stream waits for any more: who has asked gets an answer all the same, and calls go out. */
  function settle(): void {
    const { machine } = driver();
    if (refresher.asked && !refresher.flight && !needsCredentials(machine) && machine.phase.status !== "paused") ask();
    if (!gate || blocked()) return;
    gate.resolve();
    gate = undefined;
  }

  function wait(): Promise<void> | undefined {
    renewal.look();
    if (!blocked()) return undefined;
    gate ??= promised();
    return gate.promise;
  }

  return {
    isOwn: (signal) => signal !== undefined && signal === refresher.flight,
    wait,
    get generation() {
      return generation;
    },
    look: renewal.look,
    ask,
    start() {
      const { status } = driver().machine.phase;
      if (status !== "paused" && status !== "ended" && status !== "closed") ask(status !== "refreshing");
    },
    cancel() {
      refresher.cancel();
      settle();
    },
    watch: renewal.watch,
    stepped({ before, state: { phase } }) {
      if (phase !== before.phase) {
        if (phase.status === "ended") refresher.cancel(errorOf(phase.disconnect));
        if (phase.status === "closed") refresher.cancel(closedError());
        if (phase.status === "paused" && phase.why !== "hidden" && refresher.flight) {
          refresher.cancel();
          driver().feed({ type: "refresh due" });
        }
      }
      settle();
    },
    restarted() {
      generation++;
      renewal.begin(undefined);
    },
  };
}

async function none(): Promise<never> {
  throw new TypeError("refresh: the session was made without one");
}
