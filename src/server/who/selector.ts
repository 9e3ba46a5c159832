import { invalid, objectOf } from "../../check/invalid.js";
import type { Who } from "./identity.js";

/** Whom a verdict is about: what all fields match. One field at least, so that `{}` is a mistake and not everybody. */
export interface Selector {
  /** Everything of one user's. */
  readonly user?: string | undefined;
  /** One login. */
  readonly session?: string | undefined;
  /** Whoever `identify` gave this tag. */
  readonly tag?: string | undefined;
  /** A single stream, by its id. */
  readonly stream?: string | undefined;
  /** Everybody. */
  readonly all?: true | undefined;
  /** Leaves these out. */
  readonly except?: { readonly session?: string | undefined; readonly stream?: string | undefined } | undefined;
}

const names = ["user", "session", "tag", "stream"] as const;

/** @throws TypeError that names the field. */
export function checkSelector(selector: unknown): Selector {
  const { all, except, ...fields } = objectOf("selector", selector, [...names, "all", "except"]) as Selector;
  if (all !== undefined && all !== true) throw invalid("selector.all", all, "true, or nothing");
  const { session, stream } = objectOf("selector.except", except ?? {}, ["session", "stream"]);
  for (const [name, text] of Object.entries({ ...fields, "except.session": session, "except.stream": stream })) {
    if (text !== undefined && (typeof text !== "string" || text === "")) {
      throw invalid(`selector.${name}`, text, "a string that is not empty");
    }
  }
  if (all === undefined && names.every((name) => fields[name] === undefined)) {
    throw invalid("selector", selector, `one of ${names.join(", ")}, or all: true`);
  }
  return selector as Selector;
}

/** Whether a stream is meant. */
export function matches({ user, session, tag, stream, except }: Selector, who: Who, id: string | undefined): boolean {
  return (
    (user === undefined || user === who.user) &&
    (session === undefined || session === who.session) &&
    (tag === undefined || who.tags.includes(tag)) &&
    (stream === undefined || stream === id) &&
    (except?.session === undefined || except.session !== who.session) &&
    (except?.stream === undefined || except.stream !== id)
  );
}

/**
 * The key under which something can be held against everybody whom a selector means, now and later.
 *
 * @throws TypeError where that is not exactly one user, session or tag
 */
export function keyOf(selector: Selector): string {
  const { all, except, stream, ...fields } = checkSelector(selector);
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const [[name, value] = []] = given;
  if (given.length !== 1 || name === undefined || all || except || stream !== undefined) {
    throw invalid("selector", selector, "exactly one of user, session and tag, for it counts for those who come later");
  }
  return `${name}:${value}`;
}

/** All keys under which something may be held against a caller. */
export function keysOf(who: Who): readonly string[] {
  const { user, session, tags } = who;
  const claim = claimKeyOf(who);
  return [
    ...(user === undefined ? [] : [`user:${user}`]),
    ...(session === undefined ? [] : [`session:${session}`]),
    ...(claim === undefined ? [] : [claim]),
    ...tags.map((tag) => `tag:${tag}`),
  ];
}

/** The key of the client's own name for its login: only together with its user. */
export function claimKeyOf({ user, claim }: Who): string | undefined {
  return claim === undefined ? undefined : `claim:${JSON.stringify([user, claim])}`;
}
