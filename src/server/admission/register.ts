import { Code, ConnectError } from "@connectrpc/connect";
import type { AdmittedStream } from "../inside/admitted-stream.js";
import type { PendingCall } from "../inside/pending.js";
import type { Registry } from "../inside/registry.js";
import type { IncomingCall } from "../who/identity.js";
import type { Callers } from "./callers.js";
import type { Closing } from "./closing.js";
import type { LoginPlaces } from "./login-place.js";
import type { Refusals } from "./refusals.js";

/** What the last step in needs. */
export interface RegistrationParts {
  readonly registry: Registry;
  readonly closing: Closing;
  readonly callers: Callers;
  readonly places: LoginPlaces;
  readonly refusals: Refusals;
}

/**
 * The last step in: registers a stream, looks again at what has changed since it came, and takes its place among the logins.
 * Or refuses it, and undoes what was done.
 *
 * @returns how to leave the place
 */
export async function register(
  admitted: AdmittedStream,
  call: IncomingCall,
  waiting: PendingCall,
  { registry, closing, callers, places, refusals }: RegistrationParts,
): Promise<() => void> {
  const { who, stream } = admitted;
  const refusal = refusals(call);
  registry.add(admitted); // from here on a verdict finds it
  admitted.gone.then(() => registry.remove(admitted));
  try {
    if (waiting.overtaken) refusal.refuseForNow();
    const missed = waiting.missed(who, stream.id);
    if (missed) refusal.refuse(missed.words);
    await callers.check(who, call); // what was decided since is seen here, or finds the stream
    const leavePlace = stream.controlStream ? () => {} : await places.take(admitted, refusal);
    try {
      if (admitted.life.aborted) throw new ConnectError("the client has left", Code.Canceled);
      if (admitted.goodbye) throw admitted.goodbye;
      const away = closing.words();
      if (away) refusal.refuse(away);
      return leavePlace;
    } catch (error) {
      leavePlace();
      throw error;
    }
  } catch (error) {
    registry.remove(admitted);
    admitted.refuse();
    throw error;
  }
}
