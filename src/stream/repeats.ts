import { type DescMessage, equals, type Message } from "@bufbuild/protobuf";

/** Tells messages that a server repeats after a reopening from those of a counter that has begun anew. */
export interface Repeats {
  /** The caller gets a message. */
  remember(at: number | bigint, message: Message): void;
  /** A new run has begun: what was had before has nothing to do with it. */
  forget(): void;
  /** The stream was opened again. `asked`: the server was asked to go on after the last message. */
  reopened(asked: boolean): void;
  /** Whether the caller has had a message, as far as that can be known. */
  includes(at: number | bigint, message: Message): boolean;
}

/** So many of the last messages are remembered. */
const remembered = 64;

/**
 * A server repeats the last few messages, or all of them from the first where it was not asked to go on. So a message
 * that was had is among these. What follows it is taken for a repeat, too, until a message differs from the one that
 * was had in its place.
 */
export function createRepeats(schema: DescMessage): Repeats {
  const recent = new Map<number | bigint, Message>();
  let first: { readonly at: number | bigint; readonly message: Message } | undefined;
  let fromFirst = false;
  let repeating = false;
  return {
    remember(at, message) {
      first ??= { at, message };
      recent.set(at, message);
      const [oldest] = recent.keys();
      if (recent.size > remembered && oldest !== undefined) recent.delete(oldest);
    },
    forget() {
      recent.clear();
      first = undefined;
      repeating = false;
    },
    reopened(asked) {
      fromFirst = !asked;
      repeating = false;
    },
    includes(at, message) {
      const had = recent.get(at) ?? (fromFirst && first?.at === at ? first.message : undefined);
      if (had) repeating = equals(schema, had, message);
      return repeating;
    },
  };
}
