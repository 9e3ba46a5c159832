import type { DescMessage, DescMethod, Message, MessageInitShape } from "@bufbuild/protobuf";
import { checkRequest } from "#check";
import { atOnce } from "../ports/guarded.js";
import { type Cursor, sameRequest, type Taken } from "./cursor.js";
import { createPositions, type Position, type Run } from "./positions.js";
import { copyOf } from "./request.js";

/** An app's `resume`, whatever its method's messages are. */
export type Resume = (first: Message, last: Message | undefined) => unknown;

/** What an app says about where its streams stand. */
export interface CursorOptions {
  readonly position?: Position;
  readonly run?: Run;
  readonly resume?: Resume;
  readonly restart?: (error: unknown) => boolean;
}

/** A cursor that goes on where the stream stopped, as far as the app says how. */
export function createCursor(method: DescMethod, { position, run, resume, restart }: CursorOptions): Cursor {
  const positions = position && createPositions(method, position, run);
  const requests = resume ? resumedRequests(method, resume) : sameRequest(method).requests;
  let asked = false; // to go on after a message; since then, nothing has come
  let anew = false; // that was refused, and since then nothing has come
  return {
    get resumes() {
      return resume !== undefined && !anew;
    },
    requests(first, last) {
      asked = resume !== undefined && !anew && last !== undefined;
      return requests(first, anew ? undefined : last);
    },
    reopened: () => positions?.reopened(asked),
    take(message): Taken | undefined {
      const taken = positions?.take(message) ?? 0;
      const reset = taken === "reset";
      const duplicate = taken === "duplicate";
      const missed = anew || reset || duplicate ? undefined : taken;
      const missing = anew || reset || missed ? { missed, reset } : undefined;
      asked = anew = false;
      return missing || duplicate ? { missing, duplicate } : undefined;
    },
    restarts(error) {
      anew = asked && atOnce(restart?.(error)) === true;
      return anew;
    },
  };
}

/** What the app's `resume` makes of the request: for a bidi stream, all messages that open the new one. */
function resumedRequests(method: DescMethod, resume: Resume): Cursor["requests"] {
  const bidi = method.methodKind === "bidi_streaming";
  return (first, last) => {
    if (first === undefined) return [];
    const request = copyOf(method, first);
    if (!bidi && last === undefined) return [request];
    const answer = atOnce(resume(request, last));
    const messages = (bidi ? [...(answer as Iterable<unknown>)] : [answer]) as MessageInitShape<DescMessage>[];
    for (const message of messages) checkRequest(method, atOnce(message));
    return messages;
  };
}
