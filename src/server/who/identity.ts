import { type ContextKey, type ContextValues, createContextKey } from "@connectrpc/connect";
import { invalid, numberIn, objectOf } from "../../check/invalid.js";
import { sessionHeader } from "../../disconnect/wire.js";

/** Who a call comes from, as the app knows it. Everything is optional: an unknown guest is `{}` or `undefined`. */
export interface Identity {
  /** Whose call it is. What `kick({ user })` and `ban({ user })` match. */
  readonly user?: string | undefined;
  /** One login of one user, such as the id in a session token. @default what the client's control stream says */
  readonly session?: string | undefined;
  /** The device: with single sign-on, several sessions on one device are one login. @default the session */
  readonly device?: string | undefined;
  /** What else a selector may match, such as rooms, tenants or roles. */
  readonly tags?: readonly string[] | undefined;
  /** A name for people, such as "iPad": told to the sessions that this one supersedes. */
  readonly label?: string | undefined;
  /** The epoch that the app stored in the token: see `Bouncer.epoch`. */
  readonly epoch?: number | undefined;
  /** When the token was issued, for tokens without an epoch. */
  readonly issuedAt?: Date | undefined;
  /** When the credentials end: the stream then ends with `unauthenticated`. @default never */
  readonly expiresAt?: Date | undefined;
}

/** What `identify` is given: a call that has not been let in. */
export interface IncomingCall {
  /** `package.Service/Method`. */
  readonly method: string;
  readonly header: Headers;
  /** The remote address of the connection; `undefined` where `contextValues` is not set. */
  readonly peer: string | undefined;
  /** What other interceptors and `contextValues` have found out. */
  readonly contextValues: ContextValues;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

/** The app's answer to who is calling. What it throws is what the caller gets. */
export type Identify = (call: IncomingCall) => Identity | undefined | Promise<Identity | undefined>;

/** An identity, checked and filled in. Times are epoch ms. */
export interface Who {
  readonly user: string | undefined;
  readonly session: string | undefined;
  /** The client's own name for this login, from its control stream. Anybody can claim one, so it counts for its user only. */
  readonly claim: string | undefined;
  readonly device: string | undefined;
  readonly tags: readonly string[];
  readonly label: string | undefined;
  readonly epoch: number | undefined;
  readonly issuedAt: number | undefined;
  readonly expiresAt: number | undefined;
}

export const identityKey: ContextKey<Identity | undefined> = createContextKey<Identity | undefined>(undefined, {
  description: "farewell: what identify answered",
});

/**
 * What `identify` answered, for handlers of any kind of call.
 *
 * @example
 * const { user } = identityOf(context.values) ?? {};
 */
export function identityOf(values: ContextValues): Identity | undefined {
  return values.get(identityKey);
}

const texts = ["user", "session", "device", "label"] as const;
const times = ["issuedAt", "expiresAt"] as const;
const known = [...texts, ...times, "tags", "epoch"];

/** @throws TypeError that names the field. */
export function whoIs(answer: Identity | undefined, { header }: Pick<IncomingCall, "header">): Who {
  const at = "the answer of identify";
  const identity = objectOf(at, answer ?? {}, known) as Identity;
  for (const name of texts) {
    const text = identity[name];
    if (text !== undefined && (typeof text !== "string" || text === "")) {
      throw invalid(`${at}: ${name}`, text, "a string that is not empty, or undefined");
    }
  }
  for (const name of times) {
    const time: unknown = identity[name];
    if (time !== undefined && !(time instanceof Date && !Number.isNaN(time.getTime()))) {
      throw invalid(`${at}: ${name}`, time, "a Date, or undefined (a JWT has seconds: new Date(iat * 1000))");
    }
  }
  const { user, session, device, label, epoch, issuedAt, expiresAt, tags = [] } = identity;
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === "string")) {
    throw invalid(`${at}: tags`, tags, "an array of strings");
  }
  if (epoch !== undefined) numberIn(`${at}: epoch`, epoch, 0);
  const claim = claimOf(header);
  return {
    user,
    session: session ?? claim,
    claim,
    device,
    tags: [...tags], // a registry that is indexed by them must find them as they were
    label,
    epoch,
    issuedAt: issuedAt?.getTime(),
    expiresAt: expiresAt?.getTime(),
  };
}

/** The client's own word: short, and of harmless characters, or it is not taken. */
function claimOf(header: Headers): string | undefined {
  const claim = header.get(sessionHeader);
  return claim !== null && /^[\w.~-]{8,100}$/.test(claim) ? claim : undefined;
}
