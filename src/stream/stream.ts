import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamResponse } from "@connectrpc/connect";
import type { Evidence } from "../disconnect/classify.js";
import { event } from "../machine/events.js";
import type { StreamLabel } from "../machine/stream-label.js";
import type { Clock } from "../ports/clock.js";
import { after } from "../ports/timer.js";
import { type StreamAttempt, startAttempt } from "./attempt.js";
import { sameRequest } from "./cursor.js";
import type { SessionStream, StreamCall, StreamHost } from "./host.js";
import { createIncoming } from "./incoming.js";
import type { StreamEntry } from "./method.js";
import { createReplayableInput } from "./replayable-input.js";
import { copyOf } from "./request.js";

/** Opens a stream, and opens it again after losses as its session says. Resolves with the first successful open. */
export function openStream(
  host: StreamHost,
  call: StreamCall,
  label: StreamLabel,
  entry: StreamEntry | undefined,
): Promise<StreamResponse> {
  const { method, timeoutMs } = call;
  const { clock, headersTimeoutMs, transport } = host;
  const { endless = false, finite = false, idleTimeoutMs, cursor: begin = sameRequest } = entry ?? {};
  const cursor = begin(method);
  const subscribes = method.methodKind === "server_streaming";
  const deadline = deadlineOf(call, clock.monotonic());
  const life = new AbortController(); // aborted when the stream has ended, however it ended
  const input = createReplayableInput(
    call.input,
    (error) => stream.stop("failed", ConnectError.from(error)),
    (first) => copyOf(method, first),
    subscribes,
  );
  const left = () => stream.stop("canceled", new ConnectError("the caller has left", Code.Canceled));
  const incoming = createIncoming(clock, cursor, idleTimeoutMs, () => attempt?.next(), left);
  const header = new Headers(call.header); // once: what was given may be an iterator
  const thrown = (error: unknown, header?: Headers) => evidenceOf(error, deadline, host, header);
  let attempt: StreamAttempt | undefined;

  const stream: SessionStream & { sentAt: number } = {
    ...{ label, sentAt: 0 },
    get reopenable() {
      return (subscribes || entry !== undefined) && !(finite && incoming.last !== undefined);
    },
    get resumes() {
      return cursor.resumes;
    },
    get last() {
      return incoming.last;
    },
    get opened() {
      return incoming.settled;
    },
    letGo: () => guarded(stream, open),
    restarts: (error) => cursor.restarts?.(error) === true && !life.signal.aborted,
    hold: leave,
    lose: (evidence) => attempt?.end(evidence),
    stop(outcome, error, disconnect, why) {
      if (life.signal.aborted) return;
      life.abort();
      leave();
      input.close(error);
      incoming.end(outcome === "complete" ? {} : { error });
      host.left(stream, event("streamEnded", { stream: label, outcome, disconnect, error, why }));
    },
  };

  function open(): void {
    if (life.signal.aborted || attempt) return;
    const { input: messages, retire } = input.open(cursor.requests(input.first, incoming.last));
    const leftMs = deadline === undefined ? timeoutMs : Math.max(1, deadline - clock.monotonic());
    const request = (signal: AbortSignal) =>
      transport.stream(method, signal, leftMs, new Headers(header), messages, call.contextValues);
    attempt = startAttempt({ clock, headersTimeoutMs, endless, request, thrown, opened, message, over, retire });
    stream.sentAt = clock.monotonic();
    incoming.started(attempt);
    if (life.signal.aborted) leave(); // the transport has called who ended it
  }

  function opened(answer: StreamResponse): void {
    incoming.opened();
    host.opened(stream, !incoming.settled);
    incoming.accept(answer);
  }

  function message(result: IteratorYieldResult<Message>, first: boolean): void {
    try {
      const taken = incoming.take(result.value);
      if (first) host.delivered(stream);
      if (taken?.missing) host.emit(event("streamGap", { stream: label, ...taken.missing }));
      if (taken?.duplicate) attempt?.next();
      else incoming.deliver(result);
    } catch (error) {
      if (first) host.delivered(stream); // the path is open, though the app's `position` throws
      stream.stop("failed", error);
    }
  }

  function over(evidence: Evidence): void {
    attempt = undefined;
    incoming.ended(evidence);
    guarded(stream, () => host.lost(stream, evidence));
  }

  function leave(): void {
    attempt?.end();
    attempt = undefined;
  }

  host.joined(stream);
  heed(call, deadline, clock, life.signal, stream);
  return incoming.response;
}

/** The app's `resume` may throw; and a defect of ours must not leave the caller waiting for ever. */
function guarded(stream: SessionStream, what: () => void): void {
  try {
    what();
  } catch (error) {
    stream.stop("failed", error);
  }
}

/** Ends a stream by its caller's signal, and by its time, which is that of all its attempts. Until `life` aborts. */
export function heed(
  { signal }: Pick<StreamCall, "signal">,
  deadline: number | undefined,
  clock: Clock,
  life: AbortSignal,
  stream: Pick<SessionStream, "stop">,
): void {
  if (life.aborted) return;
  const cancel = () => stream.stop("canceled", canceledBy(signal));
  if (signal?.aborted) {
    cancel();
    return;
  }
  if (signal) {
    signal.addEventListener("abort", cancel);
    life.addEventListener("abort", () => signal.removeEventListener("abort", cancel));
  }
  if (deadline === undefined) return;
  after(clock, deadline - clock.monotonic(), life, () => {
    stream.stop("failed", timedOut());
  });
}

/** What a call ends with that its caller has canceled. A polyfill's signal has no `reason`. */
export function canceledBy(signal: AbortSignal | undefined): ConnectError {
  return ConnectError.from(signal?.reason ?? "This operation was aborted", Code.Canceled);
}

/** What a call ends with whose time is up. */
export function timedOut(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}

/** What was thrown, looked at in the same tick. */
export function evidenceOf(
  error: unknown,
  deadline: number | undefined,
  host: Pick<StreamHost, "connection">,
  header?: Headers,
): Evidence {
  // The call's own time is up, and the server was the first to notice.
  const canceled = deadline !== undefined && error instanceof ConnectError && error.code === Code.DeadlineExceeded;
  return { error, connection: host.connection(), canceled, header };
}

/** When a call's time is up, for all its attempts. */
export function deadlineOf({ timeoutMs }: Pick<StreamCall, "timeoutMs">, now: number): number | undefined {
  return timeoutMs !== undefined && timeoutMs > 0 ? now + timeoutMs : undefined;
}
