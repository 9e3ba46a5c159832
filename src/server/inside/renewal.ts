import type { Clock } from "../../ports/clock.js";
import { createTimer } from "../../ports/timer.js";
import { endOf } from "../who/credentials.js";
import type { AdmittedStream } from "./admitted-stream.js";
import type { Registry } from "./registry.js";

/** The end of credentials is a date, and the wall clock may be set: it is looked at again after so many ms. So is what failed. */
const lookAgainMs = 60_000;

/**
 * Calls `then` at the end of a stream's credentials, `aheadMs` before it, with that end (epoch ms). Anew for each that they
 * are renewed to. Where it rejects, it is called again later.
 */
export function atExpiry(
  admitted: AdmittedStream,
  { clock, aheadMs }: { readonly clock: Clock; readonly aheadMs: number },
  then: (expiresAt: number) => Promise<unknown> | undefined,
): void {
  const timer = createTimer(clock);
  function look(): void {
    const leftMs = endOf(admitted.who) - aheadMs - clock.now();
    timer.stop();
    if (leftMs === Number.POSITIVE_INFINITY) return;
    timer.start(Math.max(1, Math.min(leftMs, lookAgainMs)), () => {
      if (endOf(admitted.who) - aheadMs > clock.now()) return look();
      then(endOf(admitted.who))?.catch(() => {
        if (!admitted.life.aborted) timer.start(lookAgainMs, look);
      });
    });
  }
  admitted.life.addEventListener("abort", timer.stop, { once: true });
  admitted.onRenewal(look);
  if (!admitted.life.aborted) look();
}

/** The other streams of a session, of the same user, are as good as the credentials with which this one has come. */
export function renewSession(newest: AdmittedStream, registry: Registry): void {
  const { user, session, epoch, issuedAt, expiresAt } = newest.who;
  if (user === undefined || session === undefined) return;
  for (const admitted of registry.find({ user, session })) {
    if (admitted !== newest) admitted.renew({ epoch, issuedAt, expiresAt });
  }
}
