import type { RateLimit } from "../../policy/rate-limit.js";
import type { Verdict, Words } from "../words/words.js";

/** What is held against whoever comes under a key, and what they are told. */
export interface Restriction {
  /** `user:…`, `session:…`, `claim:…` or `tag:…`. */
  readonly key: string;
  /** The id of the verdict that it comes from. */
  readonly verdict: string;
  readonly words: Words;
  /** Epoch ms; `undefined`: for good. */
  readonly until: number | undefined;
  /** Said once, and then forgotten. */
  readonly once: boolean;
  /** It only reminds a client of a verdict, this user's or a guest's: of these, a store may keep the latest few of each user. */
  readonly reminds?: { readonly user: string | undefined } | undefined;
}

/** How often all tokens of a user were revoked, and when last (epoch ms). */
export interface Epoch {
  readonly number: number;
  readonly revokedAt: number;
}

/** What is to be written when something is decided: all of it, or nothing. */
export interface Entry {
  readonly verdict: Verdict;
  readonly restrictions: readonly Restriction[];
  /** Raises this user's epoch by one. */
  readonly revokes: string | undefined;
  /** How it is carried out. */
  readonly mode: "tell" | "abort";
  readonly forceAfterMs: number;
  /** False: it is about the streams of its bouncer alone, as a drain is. */
  readonly everywhere: boolean;
  /** The bouncer that decided: it carries the verdict out itself. */
  readonly origin: string;
}

/** An entry that was written, with the epoch that it has raised. */
export interface Recorded extends Entry {
  readonly epoch: number | undefined;
}

/** A session that wants in where logins are limited. */
export interface LoginRequest {
  readonly user: string;
  /** What it is known by: a part of a selector, as JSON. */
  readonly session: string;
  readonly device: string;
  readonly label: string | undefined;
  /** How many devices may be inside. */
  readonly max: number;
  readonly whenFull: "newest-wins" | "oldest-wins";
  readonly now: number;
}

/** In: and these sessions have lost their place. Or out: to a session with this label. */
export type LoginResult =
  | { readonly admitted: true; readonly generation: number; readonly losers: readonly string[] }
  | { readonly admitted: false; readonly by: string | undefined };

export type Awaitable<T> = T | Promise<T>;

/**
 * What bouncers remember. `memoryStore` is the form for one process; a shared store has the same face. Every method is
 * one atomic step. Time comes in as an argument, so that no store needs a clock. What a method rejects with fails the
 * call that needed it: a verdict is not carried out, and a newcomer is told to come back later.
 */
export interface Store {
  /** Writes a decision. Answers with the epoch, if it raised one. */
  record(entry: Entry): Awaitable<number | undefined>;
  /** Adds a restriction to a verdict that was recorded before. It replaces one with the same key, reason and `once`. */
  restrict(restriction: Restriction, now: number): Awaitable<void>;
  /** What counts against any of the keys now. */
  restrictions(keys: readonly string[], now: number): Awaitable<readonly Restriction[]>;
  /** A restriction that is said once was said. */
  consume(restriction: Restriction): Awaitable<void>;
  /** Forgets what keeps out under a key: all but what is said once. Answers whether there was any. */
  lift(key: string, now: number): Awaitable<boolean>;
  /** `undefined`: nothing was ever revoked. */
  epoch(user: string): Awaitable<Epoch | undefined>;
  /** A stream of a session comes in. */
  login(request: LoginRequest): Awaitable<LoginResult>;
  /** One has left. Must do nothing where the session has meanwhile got a later generation. */
  logout(user: string, session: string, generation: number, now: number): Awaitable<void>;
  /** Takes one from a rate limit's budget. Answers in how many ms there is more, if there was none. */
  take(limit: RateLimit, key: string): Awaitable<number | undefined>;
  /** Calls the listener with each entry that any bouncer has recorded. Returns the removal. */
  subscribe(listener: (entry: Recorded) => void): () => void;
}
