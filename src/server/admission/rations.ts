import { invalid } from "../../check/invalid.js";
import type { RateLimit } from "../../policy/rate-limit.js";
import type { Clock } from "../../ports/clock.js";
import type { Audit } from "../audit/audit.js";
import type { Awaitable, Store } from "../store/store.js";
import type { IncomingCall, Who } from "../who/identity.js";
import { networkOf } from "./accept.js";
import type { Kind } from "./kind.js";
import type { Refusal } from "./refusals.js";

/** How often one user, and one address, may open a stream. Each method refuses who has used up the budget. */
export interface Rations {
  takeForAddress(kind: Kind, call: IncomingCall, refusal: Refusal): Promise<void>;
  takeForUser(kind: Kind, who: Who, refusal: Refusal): Promise<void>;
}

/** What the bouncer's options say about rations. */
export interface RationSettings {
  readonly store: Store;
  readonly perUser: RateLimit | undefined;
  readonly perAddress: RateLimit | undefined;
  readonly addressOf: (call: IncomingCall) => Awaitable<string | undefined>;
}

export function createRations(settings: RationSettings, audit: Audit, clock: Clock): Rations {
  const { store, perUser, perAddress, addressOf } = settings;

  async function take(limit: RateLimit, key: string, message: string, { refuse, ask }: Refusal): Promise<void> {
    const waitMs = await ask(() => store.take(limit, key));
    if (waitMs !== undefined) refuse({ reason: "throttled", retryAt: new Date(clock.now() + waitMs), message });
  }

  async function addressFor(call: IncomingCall): Promise<string | undefined> {
    try {
      const address: unknown = await addressOf(call);
      if (typeof address === "string") return networkOf(address);
      if (address !== undefined) throw invalid("the answer of addressOf", address, "a string or undefined");
    } catch (error) {
      audit.failure(error, "addressOf failed");
      throw error;
    }
    audit.failureOnce(new Error("is contextValues set?"), "rateLimits.perAddress knows no address");
    return undefined;
  }

  return {
    async takeForAddress(kind, call, refusal) {
      const address = perAddress && (await addressFor(call));
      if (!perAddress || address === undefined) return;
      await take(perAddress, `${kind}:address:${address}`, "too many streams from this address", refusal);
    },
    async takeForUser(kind, { user }, refusal) {
      if (!perUser || user === undefined) return;
      await take(perUser, `${kind}:user:${user}`, "too many streams of this user", refusal);
    },
  };
}
