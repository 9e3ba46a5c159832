import { isIPv6 } from "node:net";
import { invalid } from "../../check/invalid.js";
import type { RateLimit } from "../../policy/rate-limit.js";
import type { Audit } from "../audit/audit.js";
import type { Awaitable } from "../store/store.js";
import type { IncomingCall } from "../who/identity.js";
import { type Patience, TooLateError } from "./patience.js";
import type { Refusals } from "./refusals.js";

/** What a call is counted by: its network; `undefined` if it is not known. */
export interface Addresses {
  /** As the app says, where it counts something by it. Rejects with what its function throws. */
  of(call: IncomingCall): Promise<string | undefined>;
  /** As the connection says. */
  ofPeer(call: IncomingCall): string | undefined;
}

/** What the bouncer's options say about addresses. */
export interface AddressSettings {
  readonly addressOf: (call: IncomingCall) => Awaitable<string | undefined>;
  readonly perAddress: RateLimit | undefined;
  readonly acceptPerSecond: number | undefined;
}

/** What finding out an address needs. */
export interface AddressParts {
  readonly settings: AddressSettings;
  readonly audit: Audit;
  readonly patience: Patience;
  readonly refusals: Refusals;
}

export function createAddresses({ settings, audit, patience, refusals }: AddressParts): Addresses {
  const { addressOf, perAddress, acceptPerSecond } = settings;
  const counts = perAddress !== undefined || acceptPerSecond !== undefined;
  const ofPeer = ({ peer }: IncomingCall) => (peer === undefined ? undefined : networkOf(peer));
  return {
    ofPeer,
    async of(call) {
      if (!counts) return ofPeer(call);
      try {
        const address: unknown = await patience(() => addressOf(call), call.signal);
        if (typeof address === "string") return networkOf(address);
        if (address === undefined) return undefined;
        throw invalid("the answer of addressOf", address, "a string or undefined");
      } catch (error) {
        if (!call.signal.aborted) audit.failure(error, "addressOf failed");
        if (error instanceof TooLateError) return refusals(call).refuseForNow();
        throw error;
      }
    },
  };
}

/** What an address is counted by: one customer has a whole /64 of IPv6 (RFC 6177). */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1] as string;
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => "0"), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
