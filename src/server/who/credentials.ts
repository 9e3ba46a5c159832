import { invalid, numberIn, objectOf } from "../../check/invalid.js";
import type { Identity, Who } from "./identity.js";

/** Since when, and until when, somebody's credentials are good. Times are epoch ms. */
export type Credentials = Pick<Who, "epoch" | "issuedAt" | "expiresAt">;

/** What `renew` is told of new credentials; what is absent stays as it is. */
export type NewCredentials = Pick<Identity, "epoch" | "issuedAt" | "expiresAt">;

/** Whether some credentials are older than others: by their epoch, else by when they were issued, else by when they end. */
export function areOlder(some: Credentials, others: Credentials): boolean {
  for (const field of ["epoch", "issuedAt"] as const) {
    const [own, other] = [some[field], others[field]];
    if (own !== undefined && other !== undefined && own !== other) return own < other;
  }
  return endOf(some) < endOf(others);
}

/** When they end; epoch ms. */
export function endOf({ expiresAt }: Credentials): number {
  return expiresAt ?? Number.POSITIVE_INFINITY;
}

/** @throws TypeError that names the field. */
export function checkCredentials(credentials: NewCredentials): Partial<Credentials> {
  const { epoch, issuedAt, expiresAt } = objectOf("credentials", credentials, ["epoch", "issuedAt", "expiresAt"]);
  if (epoch !== undefined) numberIn("credentials.epoch", epoch, 0);
  const given = {
    ...(epoch !== undefined && { epoch: epoch as number }),
    ...(issuedAt !== undefined && { issuedAt: timeIn("credentials.issuedAt", issuedAt) }),
    ...(expiresAt !== undefined && { expiresAt: timeIn("credentials.expiresAt", expiresAt) }),
  };
  if (Object.keys(given).length === 0) throw invalid("credentials", credentials, "one of epoch, issuedAt, expiresAt");
  return given;
}

function timeIn(field: string, time: unknown): number {
  if (time instanceof Date && !Number.isNaN(time.getTime())) return time.getTime();
  throw invalid(field, time, "a Date (a JWT has seconds: new Date(exp * 1000))");
}
