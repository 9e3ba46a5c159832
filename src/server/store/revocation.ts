import type { Who } from "../who/identity.js";
import type { Epoch } from "./store.js";

/**
 * Whether credentials are from before the last revocation. An epoch is exact, whatever the clocks say. A time is held
 * against the revocation's: `iat` in a JWT has whole seconds, so one of the same second counts as before it. Credentials
 * that tell neither cannot be told to be fresh.
 *
 * @param clockSkewMs how far the clock that wrote `issuedAt` may be ahead of the one that wrote the revocation
 */
export function isRevoked({ epoch, issuedAt }: Who, revoked: Epoch, clockSkewMs: number): boolean {
  if (epoch !== undefined) return epoch < revoked.number;
  return issuedAt === undefined || Math.floor(issuedAt / 1000) * 1000 <= revoked.revokedAt + clockSkewMs;
}
