import { numberIn, objectOf } from "#check";
import { createTimer } from "../ports/timer.js";
import type { Attached, Extension, Pause, SessionPort } from "../session/extension.js";

/** Options of `pageEnvironment`. */
export interface PageOptions {
  /** A page that was hidden for so many ms lets go of its streams until it is seen again. @default never */
  readonly hiddenAfterMs?: number | undefined;
  /**
   * A timer that comes so many ms too late means that the device slept: streams from before it are not trusted any more.
   * Browsers delay the timers of hidden pages by up to a minute. @default 90_000
   */
  readonly asleepAfterMs?: number | undefined;
}

export const pageOptions: readonly (keyof PageOptions)[] = ["hiddenAfterMs", "asleepAfterMs"];

const beatMs = 15_000; // how often it is looked at whether the device slept

/**
 * The life of a web page: offline, hidden, frozen (Page Lifecycle, also in the back-forward cache), and asleep. It
 * listens to the page only while a session has streams. On a server nothing ever pauses.
 *
 * @throws TypeError that names the option
 * @example
 * const session = createSession(transport, { extensions: [pageEnvironment({ hiddenAfterMs: 60_000 })] });
 */
export function pageEnvironment(options: PageOptions = {}): Extension {
  const { hiddenAfterMs, asleepAfterMs = 90_000 } = options;
  objectOf("options", options, pageOptions);
  if (hiddenAfterMs !== undefined) numberIn("hiddenAfterMs", hiddenAfterMs, 0);
  numberIn("asleepAfterMs", asleepAfterMs, 1);
  return (session) => attach(session, hiddenAfterMs, asleepAfterMs);
}

function attach({ clock, look }: SessionPort, hiddenAfterMs: number | undefined, asleepAfterMs: number): Attached {
  const page = globalThis.document as (Document & { readonly prerendering?: boolean }) | undefined;
  let frozen = false;
  let hidden = false;
  let asleep = false;
  let beatAt = 0;
  let beatWall = 0;
  const hiding = createTimer(clock);
  const beating = createTimer(clock);

  const react: { readonly [type: string]: () => void } = {
    online: look,
    offline: look,
    pagehide: freeze, // before the page is put aside: an open stream would keep it out of the back-forward cache
    freeze,
    pageshow: thaw,
    resume: thaw,
    visibilitychange: glance,
    prerenderingchange: glance,
  };

  function freeze(): void {
    frozen = true;
    look();
  }

  function thaw(): void {
    if (frozen) lateMs(); // no timer ran, so none is late
    frozen = false;
    look();
  }

  function glance(): void {
    beat();
    if (!countHidden()) hide(false);
  }

  /** Whether the page is hidden: then its time counts from now. */
  function countHidden(): boolean {
    hiding.stop();
    const away = page?.visibilityState === "hidden";
    if (away && hiddenAfterMs !== undefined) hiding.start(hiddenAfterMs, () => hide(true));
    return away;
  }

  function hide(away: boolean): void {
    hidden = away;
    look();
  }

  /** How late a beat is that comes now, by whichever clock went on: in a sleep, that for durations may stand still. */
  function lateMs(): number {
    const [at, wall] = [clock.monotonic(), clock.now()];
    const passedMs = Math.max(at - beatAt, wall - beatWall);
    [beatAt, beatWall] = [at, wall];
    return passedMs - beatMs;
  }

  /** Streams from before a sleep are let go of, and opened anew. */
  function beat(): void {
    if (lateMs() < asleepAfterMs) return;
    asleep = true;
    look();
    asleep = false;
    look();
  }

  function keepBeating(): void {
    beating.start(beatMs, () => {
      beat();
      keepBeating();
    });
  }

  return {
    pause(): Pause | undefined {
      if (frozen) return "frozen";
      if (globalThis.navigator?.onLine === false) return "offline";
      if (hidden || page?.prerendering) return "hidden"; // a page that nobody may ever see
      return asleep ? "asleep" : undefined;
    },
    watch() {
      if (!("addEventListener" in globalThis)) return () => {}; // neither a page nor a worker
      const life = new AbortController();
      lateMs();
      frozen = false;
      hidden = false;
      // Some of these are told to the document and do not bubble: on their way down they pass the window.
      const options = { capture: true, signal: life.signal };
      for (const [type, listener] of Object.entries(react)) globalThis.addEventListener(type, listener, options);
      countHidden();
      keepBeating();
      return () => {
        life.abort();
        hiding.stop();
        beating.stop();
      };
    },
  };
}
