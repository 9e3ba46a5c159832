import { clone, create } from "@bufbuild/protobuf";
import type { UnaryResponse } from "@connectrpc/connect";
import type { Evidence } from "../disconnect/classify.js";
import { after } from "../ports/timer.js";
import type { StreamHost } from "../stream/host.js";
import { type Promised, promised } from "../stream/promised.js";
import { evidenceOf } from "../stream/stream.js";
import type { UnaryCall } from "./retried-entry.js";

/** One attempt of a call. It has begun. */
export interface UnaryAttempt {
  /** Rejects when it is lost; `next` says what comes of that. */
  readonly answer: Promise<UnaryResponse>;
  /** The attempt after it, when that has begun. Rejects with what the call throws where there is none. */
  readonly next: Promise<UnaryAttempt>;
}

/** The attempts of a call, one after the other, for who waits for them. */
export interface Attempts {
  readonly first: Promise<UnaryAttempt>;
  /** How many have begun. */
  readonly count: number;
  /** The next one begins. */
  begin(): Promised<UnaryResponse>;
  /** There is no next one. */
  end(error: unknown): void;
}

export function createAttempts(): Attempts {
  let next = quiet<UnaryAttempt>();
  let count = 0;
  return {
    first: next.promise,
    get count() {
      return count;
    },
    begin() {
      const begun = next;
      const answer = quiet<UnaryResponse>();
      next = quiet();
      count++;
      begun.resolve({ answer: answer.promise, next: next.promise });
      return answer;
    },
    end: (error) => next.reject(error),
  };
}

/** Who is told how an attempt went. */
export interface Told {
  readonly answered: (response: UnaryResponse) => void;
  readonly lost: (evidence: Evidence) => void;
}

/**
 * Makes attempts of a call, with its request and headers as they are now. Each tells once how it went, unless it was given
 * up before.
 */
export function senderOf(
  call: UnaryCall,
  deadline: number | undefined,
  streams: StreamHost,
): (signal: AbortSignal, told: Told) => void {
  const { once, method, timeoutMs, contextValues } = call;
  const { clock, headersTimeoutMs } = streams;
  const request = clone(method.input, create(method.input, call.input));
  const header = new Headers(call.header);
  return (signal, { answered, lost }) => {
    const leftMs = deadline === undefined ? timeoutMs : Math.max(1, deadline - clock.monotonic());
    // Each attempt gets its own copy, for interceptors may change what they get.
    once(method, signal, leftMs, header, request, contextValues).then(
      (response) => {
        if (!signal.aborted) answered(response);
      },
      (error) => {
        if (!signal.aborted) lost({ ...evidenceOf(error, deadline, streams), unary: true });
      },
    );
    if (headersTimeoutMs === undefined) return;
    after(clock, headersTimeoutMs, signal, () => lost({ silent: `no response within ${headersTimeoutMs} ms` }));
  };
}

/** Nobody need look at it. */
function quiet<T>(): Promised<T> {
  const kept = promised<T>();
  kept.promise.catch(() => {});
  return kept;
}
