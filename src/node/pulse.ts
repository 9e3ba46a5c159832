import type { ClientHttp2Session } from "node:http2";
import type { Clock } from "../ports/clock.js";
import { createTimer } from "../ports/timer.js";

/** Finds out whether a connection is alive, by PING frames. Every question ends: by an answer, or because time is up. */
export interface Pulse {
  /** Something has come. */
  heard(): void;
  /** From now on, asks after each `pingIntervalMs` in which nothing has come. */
  watch(): void;
  stop(): void;
  /** Resolves at once where something has come lately, else when the connection has answered, or is dead. */
  verify(): Promise<void>;
  readonly verifying: boolean;
}

export interface PulseRules {
  readonly clock: Clock;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

/** A PING that is out. */
interface Question {
  readonly settled: Promise<void>;
  settle(): void;
}

/** `dead`: the connection does not answer. */
export function createPulse(connection: Pick<ClientHttp2Session, "ping">, rules: PulseRules, dead: () => void): Pulse {
  const { clock, pingTimeoutMs } = rules;
  const timer = createTimer(clock);
  let heardAt = clock.monotonic();
  let watching = false;
  let asked: Question | undefined;
  let verifying = false;

  const leftMs = () => heardAt + rules.pingIntervalMs - clock.monotonic();
  const heard = () => {
    heardAt = clock.monotonic();
  };

  function look(): void {
    if (asked || !watching) return;
    const left = leftMs();
    if (left > 0) timer.start(left, look);
    else void ask();
  }

  function ask(): Promise<void> {
    if (asked) return asked.settled;
    let settle = () => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const own: Question = { settled, settle };
    asked = own;
    const answered = (error: unknown) => {
      if (asked !== own) return;
      over();
      if (error) return dead();
      heard();
      look();
    };
    timer.start(pingTimeoutMs, () => answered(true));
    try {
      connection.ping(answered);
    } catch (error) {
      answered(error); // it has been destroyed, and nobody has been told yet (connectrpc/connect-es#1795)
    }
    return settled;
  }

  function over(): void {
    timer.stop();
    asked?.settle();
    asked = undefined;
    verifying = false;
  }

  return {
    heard,
    watch() {
      if (watching) return;
      watching = true;
      look();
    },
    stop() {
      watching = false;
      over();
    },
    async verify() {
      if (!asked && leftMs() > 0) return;
      verifying = true;
      await ask();
    },
    get verifying() {
      return verifying;
    },
  };
}
