import { errorOf } from "../disconnect/error-of.js";
import type { Decided, Effect } from "../machine/effect.js";
import type { Input } from "../machine/input.js";
import type { State } from "../machine/state.js";
import { nextTurn } from "../ports/clock.js";
import type { SessionStream } from "../stream/host.js";
import { closedError } from "./closed.js";
import type { Credentials } from "./credentials.js";
import type { Driver } from "./driver.js";

/** Carries out what the machine asks for, as long as that is still wanted. */
export interface Effects {
  carryOut(effect: Effect, state: State): void;
  /** Resolves when a call may go out, where one may not: right after a connection has failed. */
  readonly calm: Promise<void> | undefined;
  /** A connection has failed in this turn of the event loop. */
  disturb(): void;
}

export interface EffectOptions {
  readonly streams: ReadonlyMap<number, SessionStream>;
  readonly credentials: Credentials;
  /** Resolves when it is this session's turn to probe. */
  readonly turn: (signal: AbortSignal) => Promise<void>;
  readonly driver: () => Pick<Driver, "machine" | "feed" | "consult">;
}

export function createEffects({ streams, credentials, turn, driver }: EffectOptions): Effects {
  let calm: Promise<void> | undefined;
  let ownTurn = new AbortController();
  const feed = (input: Input) => driver().feed(input);

  function letGo(id: number): void {
    const { machine } = driver();
    // Who stands for all has not to wait for credentials: the machine has got them before.
    const wait = calm ?? (machine.prober?.stream === id ? undefined : credentials.wait());
    if (wait) wait.then(() => feed({ type: "asked again", stream: id }));
    else if (machine.streams.some(({ label }) => label.id === id) && !machine.queue.includes(id))
      streams.get(id)?.letGo();
  }

  function stop(id: number, by: Decided | undefined): void {
    const stream = streams.get(id);
    if (by) stream?.stop("stopped", errorOf(by.disconnect), by.disconnect, by.why);
    else stream?.stop("canceled", closedError());
  }

  function takeTurn(): void {
    const own = new AbortController();
    ownTurn.abort();
    ownTurn = own;
    turn(own.signal).then(
      () => {
        if (!own.signal.aborted) driver().consult(); // somebody may have got through meanwhile
        if (!own.signal.aborted) feed({ type: "turn came" });
      },
      () => {}, // not wanted any more
    );
  }

  return {
    get calm() {
      return calm;
    },
    disturb() {
      const over = nextTurn().then(() => {
        if (calm === over) calm = undefined;
      });
      calm = over;
    },
    carryOut(effect, { phase: { status }, turnUntil }) {
      switch (effect.type) {
        case "let go":
          return letGo(effect.stream);
        case "hold":
          return streams.get(effect.stream)?.hold();
        case "stop":
          for (const id of effect.streams) stop(id, effect.by);
          return;
        case "start refresh":
          return credentials.start();
        case "abort refresh":
          return status === "refreshing" ? undefined : credentials.cancel();
        case "take turn":
          return turnUntil === undefined ? undefined : takeTurn();
        case "leave turn":
          return status === "probing" || turnUntil !== undefined ? undefined : ownTurn.abort();
        default:
          return effect satisfies never;
      }
    },
  };
}
