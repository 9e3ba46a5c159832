import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamResponse } from "@connectrpc/connect";
import type { Evidence } from "../disconnect/classify.js";
import { event } from "../machine/events.js";
import type { StreamLabel } from "../machine/stream-label.js";
import type { Clock } from "../ports/clock.js";
import { type Attempt, startAttempt } from "./attempt.js";
import type { Stream, StreamCall, StreamHost } from "./host.js";
import type { StreamEntry } from "./method.js";
import { promised } from "./promised.js";
import { createReader } from "./reader.js";
import { createReplayableInput } from "./replayable-input.js";
import { sameRequest } from "./request.js";
import { after, createSilence } from "./silence.js";

/** Opens a stream, and opens it again after losses as its session says. Resolves with the first successful open. */
export function openStream(
  host: StreamHost,
  call: StreamCall,
  label: StreamLabel,
  entry: StreamEntry | undefined,
): Promise<StreamResponse> {
  const { method, timeoutMs } = call;
  const { clock, headersTimeoutMs, transport } = host;
  const { endless = false, finite = false, idleTimeoutMs, requests = sameRequest(method) } = entry ?? {};
  const follows = method.methodKind === "server_streaming" || entry?.resumes === true;
  const deadline = deadlineOf(call, clock.now());
  const life = new AbortController(); // aborted when the stream has ended, however it ended
  const input = createReplayableInput(call.input, (error) => stream.stop("failed", ConnectError.from(error)));
  const reader = createReader(() => {
    silence?.heard();
    attempt?.next();
  });
  const silence = createSilence(clock, idleTimeoutMs, () => !response.settled || reader.waits);
  const positions = entry?.positions?.();
  const header = new Headers(call.header); // once: what was given may be an iterator
  const trailer = new Headers();
  const response = promised<StreamResponse>();
  let attempt: Attempt | undefined;
  let sentAt = 0;
  let last: Message | undefined;
  let quiet = true; // no message yet in this attempt

  const stream: Stream = {
    label,
    resumes: entry?.resumes === true,
    get reopenable() {
      return follows && !(finite && last !== undefined);
    },
    get sentAt() {
      return sentAt;
    },
    get last() {
      return last;
    },
    letGo() {
      if (life.signal.aborted || attempt) return;
      try {
        open();
      } catch (error) {
        stream.stop("failed", error); // thrown by the app's `resume`
      }
    },
    hold: () => leave(),
    lose: (evidence) => attempt?.end(evidence),
    stop(outcome, error, disconnect, why) {
      if (life.signal.aborted) return;
      const complete = outcome === "complete";
      life.abort();
      leave();
      input.close(complete ? undefined : error);
      response.reject(error);
      reader.end(complete ? {} : { error });
      host.emit(event("streamEnded", { stream: label, outcome, disconnect, error, why }));
      host.left(stream);
    },
  };
  function open(): void {
    const { input: messages, retire } = input.open(requests(input.first, last));
    const leftMs = deadline === undefined ? timeoutMs : Math.max(1, deadline - clock.now());
    quiet = true;
    silence?.heard();
    const request = (signal: AbortSignal) =>
      transport.stream(method, signal, leftMs, header, messages, call.contextValues);
    const current = startAttempt({
      ...{ clock, headersTimeoutMs, endless, request, thrown, opened, message },
      over(evidence) {
        attempt = undefined;
        if ("trailer" in evidence) replace(trailer, evidence.trailer);
        try {
          host.lost(stream, evidence);
        } catch (error) {
          stream.stop("failed", error); // a defect of ours must not leave the caller waiting for ever
        }
      },
    });
    attempt = current;
    sentAt = current.sentAt;
    current.signal.addEventListener("abort", retire, { once: true });
    silence?.watch(current.signal, (silent) => current.end({ silent }));
  }

  function thrown(error: unknown): Evidence {
    // The call's own time is up, and the server was the first to notice.
    const canceled = deadline !== undefined && error instanceof ConnectError && error.code === Code.DeadlineExceeded;
    return { error, connection: host.connection(), canceled };
  }

  function opened(answer: StreamResponse): void {
    const first = !response.settled;
    silence?.heard();
    if (!first) positions?.reopened();
    host.opened(stream, first);
    if (first)
      response.resolve({ ...answer, trailer, message: { [Symbol.asyncIterator]: () => ({ next: reader.next }) } });
    if (reader.waits) attempt?.next();
  }

  function message(result: IteratorYieldResult<Message>): void {
    silence?.heard();
    const missed = positions ? taken(result.value) : 0;
    if (missed !== "duplicate") last = result.value;
    if (quiet) host.delivered(stream);
    quiet = false;
    if (missed === "duplicate") {
      attempt?.next();
      return;
    }
    if (missed > 0) host.emit(event("streamGap", { stream: label, missed }));
    reader.deliver(result);
    if (reader.waits) attempt?.next();
  }

  function taken(value: Message): "duplicate" | number {
    try {
      return positions?.take(value) ?? 0;
    } catch (error) {
      stream.stop("failed", error); // thrown by the app's `position`
      return "duplicate";
    }
  }

  function leave(): void {
    attempt?.end();
    attempt = undefined;
  }

  host.joined(stream);
  heed(call, deadline, clock, life.signal, stream);
  return response.promise;
}

/** Ends a stream by its caller's signal, and by its time, which is that of all its attempts. Until `life` aborts. */
function heed(
  { signal }: StreamCall,
  deadline: number | undefined,
  clock: Clock,
  life: AbortSignal,
  stream: Stream,
): void {
  if (life.aborted) return;
  const cancel = () => stream.stop("canceled", ConnectError.from(signal?.reason, Code.Canceled));
  if (signal?.aborted) {
    cancel();
    return;
  }
  signal?.addEventListener("abort", cancel);
  life.addEventListener("abort", () => signal?.removeEventListener("abort", cancel));
  if (deadline === undefined) return;
  after(clock, deadline - clock.now(), life, () => {
    stream.stop("failed", new ConnectError("the operation timed out", Code.DeadlineExceeded));
  });
}

function deadlineOf({ timeoutMs }: StreamCall, now: number): number | undefined {
  return timeoutMs !== undefined && timeoutMs > 0 ? now + timeoutMs : undefined;
}

function replace(target: Headers, source: Headers): void {
  for (const name of [...target.keys()]) target.delete(name);
  source.forEach((value, name) => {
    target.append(name, value);
  });
}
