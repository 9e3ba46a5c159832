import type { Clock } from "../../ports/clock.js";
import type { Audit } from "../audit/audit.js";
import type { AdmittedStream } from "../inside/admitted-stream.js";
import type { Store } from "../store/store.js";
import type { Selector } from "../who/selector.js";
import type { Refusal } from "./refusals.js";

/** Where logins are limited, each stream has a part in its session's place. */
export interface LoginPlaces {
  /** Takes a place, or refuses. Answers with how to leave it. */
  take(admitted: AdmittedStream, refusal: Refusal): Promise<() => void>;
}

/** What the bouncer's options say about logins. */
export interface LoginSettings {
  readonly store: Store;
  readonly logins: { readonly max: number; readonly whenFull: "newest-wins" | "oldest-wins" } | undefined;
}

/** @param supersede puts out a session that has lost its place to a newcomer, `by` its label */
export function createLoginPlaces(
  { store, logins }: LoginSettings,
  supersede: (loser: Selector, by: string | undefined) => Promise<unknown>,
  audit: Audit,
  clock: Clock,
): LoginPlaces {
  return {
    async take(admitted, { refuse, ask }) {
      const { user, label, device } = admitted.who;
      if (!logins || user === undefined) return () => {};
      const session = nameOfPlace(admitted);
      const request = { user, session, device: device ?? session, label, ...logins, now: clock.now() };
      const leave = async (generation: number) => await store.logout(user, session, generation, clock.now());
      const leavePlace = (generation: number) =>
        void leave(generation).catch((error) => audit.failure(error, "the store failed at a logout"));
      const result = await ask(
        () => store.login(request),
        (late) => late.admitted && leavePlace(late.generation),
      );
      if (!result.admitted) return refuse({ reason: "superseded", by: result.by, message: "signed in elsewhere" });
      for (const loser of result.losers) {
        supersede({ user, ...JSON.parse(loser) }, label).catch((error) =>
          audit.failure(error, "a session could not be superseded"),
        );
      }
      return () => leavePlace(result.generation);
    },
  };
}

/** What a login is known by, as a part of a selector: without a name of its session's, each stream is a login of its own. */
function nameOfPlace({ who: { session }, stream: { id } }: AdmittedStream): string {
  return JSON.stringify(session === undefined ? { stream: id } : { session });
}
