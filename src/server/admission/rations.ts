import type { RateLimit } from "../../policy/rate-limit.js";
import type { Clock } from "../../ports/clock.js";
import type { Audit } from "../audit/audit.js";
import type { Store } from "../store/store.js";
import type { Who } from "../who/identity.js";
import type { Kind } from "./kind.js";
import type { Refusal } from "./refusals.js";

/** How often one user, and one address, may open a stream. Each method refuses who has used up the budget. */
export interface Rations {
  takeForAddress(kind: Kind, address: string | undefined, refusal: Refusal): Promise<void>;
  takeForUser(kind: Kind, who: Who, refusal: Refusal): Promise<void>;
}

/** What the bouncer's options say about rations. */
export interface RationSettings {
  readonly store: Store;
  readonly perUser: RateLimit | undefined;
  readonly perAddress: RateLimit | undefined;
}

export function createRations(settings: RationSettings, audit: Audit, clock: Clock): Rations {
  const { store, perUser, perAddress } = settings;

  async function take(limit: RateLimit, key: string, message: string, { refuse, ask }: Refusal): Promise<void> {
    const waitMs = await ask(() => store.take(limit, key));
    if (waitMs !== undefined) refuse({ reason: "throttled", retryAt: new Date(clock.now() + waitMs), message });
  }

  return {
    async takeForAddress(kind, address, refusal) {
      if (!perAddress) return;
      if (address === undefined) {
        return audit.failureOnce(new Error("is contextValues set?"), "rateLimits.perAddress knows no address");
      }
      await take(perAddress, `${kind}:address:${address}`, "too many streams from this address", refusal);
    },
    async takeForUser(kind, { user }, refusal) {
      if (!perUser || user === undefined) return;
      await take(perUser, `${kind}:user:${user}`, "too many streams of this user", refusal);
    },
  };
}
