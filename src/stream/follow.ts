import type { DescMessage, DescMethodStreaming, Message, MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, type StreamResponse, type Transport } from "@connectrpc/connect";
import type { Evidence } from "../disconnect/classify.js";
import type { Disconnect } from "../disconnect/disconnect.js";
import type { ConnectionState } from "../disconnect/inferred.js";
import { event, type Outcome, type SessionEvent, type StreamLabel } from "../machine/events.js";
import type { Clock } from "../ports/clock.js";
import type { Gate } from "../session/gate.js";
import { type MethodEntry, requestOf } from "./method.js";
import { createPositions } from "./positions.js";
import { createFeed } from "./replayable-input.js";

/** What Connect hands to `Transport.stream`. */
export interface Call {
  readonly method: DescMethodStreaming;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: HeadersInit | undefined;
  readonly input: AsyncIterable<MessageInitShape<DescMessage>>;
  readonly contextValues: ContextValues | undefined;
}

/** One stream, as its session sees it. */
export interface Followed {
  readonly label: StreamLabel;
  /** A stream that is not reopened neither waits for the others nor knocks for them. */
  readonly reopenable: boolean;
  /** Whether it asks the server for what it missed. */
  readonly resumes: boolean;
  /** When its last attempt went out; epoch ms. */
  readonly sentAt: number;
  /** The last message that the caller got. */
  readonly last: Message | undefined;
  /** Its attempt is over, if it has one: whatever the transport says. */
  lose(evidence: Evidence): void;
  /** Ends it now, whatever the transport does. */
  stop(outcome: Outcome, error: unknown, disconnect?: Disconnect, why?: string): void;
}

/** The session, as one stream sees it. */
export interface Host {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly openTimeoutMs: number | undefined;
  readonly gate: Gate;
  /** Where the connection stands now, as long as this is the tick of the failure. */
  connection(): ConnectionState | undefined;
  /** Names the ending and decides. False: the stream was stopped. */
  lost(stream: Followed, evidence: Evidence): boolean;
  /** Tries until it works, or until `failed` says false. A failed attempt throws a {@link Failure}. */
  retry(attempt: () => Promise<void>, failed: (evidence: Evidence) => boolean): Promise<void>;
  emit(event: SessionEvent): void;
}

/** An attempt that did not open. */
export class Failure extends Error {
  readonly evidence: Evidence;

  constructor(evidence: Evidence) {
    super("the stream could not be opened");
    this.evidence = evidence;
  }
}

type Pending = {
  readonly resolve: (result: IteratorResult<Message>) => void;
  readonly reject: (error: unknown) => void;
};

/** One call on the transport. */
type Attempt = {
  readonly controller: AbortController;
  readonly retire: () => void;
  lose: (evidence: Evidence) => void;
  next?: () => void;
};

const done: IteratorResult<Message> = { done: true, value: undefined };

/** Follows one stream across losses. Resolves with the first successful open. */
export function follow(
  host: Host,
  call: Call,
  label: StreamLabel,
  entry: MethodEntry | undefined,
): Promise<StreamResponse> {
  const { method, signal, timeoutMs } = call;
  const { clock, gate } = host;
  const { endless = false, silenceMs } = entry ?? {};
  const followed = method.methodKind === "server_streaming" || entry?.resume !== undefined;
  const limitMs = timeoutMs !== undefined && timeoutMs > 0 ? timeoutMs : undefined;
  const deadline = limitMs === undefined ? undefined : clock.now() + limitMs;
  const life = new AbortController(); // aborted when the stream has ended, however it ended
  const feed = createFeed(call.input, (error) => stream.stop("failed", ConnectError.from(error)));
  const positions = createPositions(entry);
  const headers = new Headers(call.header); // once: what was given may be an iterator
  const trailer = new Headers();
  const pending: Pending[] = [];
  let attempt: Attempt | undefined;
  let first = true;
  let ended: { readonly error: unknown; told: boolean } | undefined;
  let last: Message | undefined;
  let sentAt = 0;
  let pendingSince = 0;
  let quiet = true; // no message yet in this attempt

  const stream: Followed = {
    label,
    resumes: entry?.resume !== undefined,
    get reopenable() {
      return followed && !(entry?.finite && last !== undefined);
    },
    get sentAt() {
      return sentAt;
    },
    get last() {
      return last;
    },
    lose: (evidence) => attempt?.lose(evidence),
    stop(outcome, error, disconnect, why) {
      if (ended) return;
      const complete = outcome === "complete";
      ended = { error, told: complete || pending.length > 0 };
      signal?.removeEventListener("abort", cancel);
      life.abort();
      leave();
      feed.close(complete ? undefined : error);
      refuse(error);
      for (const { resolve, reject } of pending.splice(0)) complete ? resolve(done) : reject(error);
      host.emit(event("streamEnded", { stream: label, outcome, disconnect, error, why }));
      gate.leave(stream);
    },
  };
  const cancel = () => stream.stop("canceled", ConnectError.from(signal?.reason, Code.Canceled));

  let accept: (response: StreamResponse) => void = () => {};
  let refuse: (error: unknown) => void = () => {};
  const response = new Promise<StreamResponse>((resolve, reject) => {
    [accept, refuse] = [resolve, reject];
  });

  gate.join(stream);
  if (signal?.aborted) cancel();
  else if (!ended) {
    signal?.addEventListener("abort", cancel);
    after(limitMs, life.signal, () => {
      stream.stop("failed", new ConnectError("the operation timed out", Code.DeadlineExceeded));
    });
    reach();
  }
  return response;

  /** Opens, or opens again, for as long as the session says. */
  function reach(): void {
    host
      .retry(open, (evidence) => !ended && host.lost(stream, evidence))
      .catch((error) => stream.stop("failed", error)); // thrown by `resume`, or by a transport that breaks its contract
  }

  async function open(): Promise<void> {
    leave();
    if (ended) return;
    await gate.admit(stream);
    if (ended) return;
    const { input, retire } = feed.open(requestOf(method, entry, feed.first, last));
    const controller = new AbortController();
    const current: Attempt = { controller, retire, lose: () => {} };
    attempt = current;
    pendingSince = sentAt = clock.now();
    const leftMs = deadline === undefined ? timeoutMs : Math.max(1, deadline - clock.now());
    // Raced by hand, as everywhere: an abort can be lost on its way through fetch (nodejs/undici#4627).
    const opened = await new Promise<StreamResponse>((resolve, reject) => {
      current.lose = (evidence) => {
        reject(new Failure(evidence)); // before the abort, which is a consequence
        controller.abort(); // at once: a page that is put aside has no later
      };
      watch(current);
      const timer = new AbortController();
      controller.signal.addEventListener("abort", () => timer.abort());
      after(host.openTimeoutMs, timer.signal, () => {
        current.lose({ silent: `no response within ${host.openTimeoutMs} ms` });
      });
      host.transport
        .stream(method, controller.signal, leftMs, headers, input, call.contextValues)
        .then(resolve, (error) => reject(new Failure(thrown(error))))
        .finally(() => timer.abort());
    });
    if (ended || attempt !== current) return;
    const messages = opened.message[Symbol.asyncIterator]();
    const received = (result: IteratorResult<Message>) => {
      if (attempt !== current) return;
      if (result.done) {
        replace(trailer, opened.trailer);
        over({ trailer: opened.trailer, endless });
      } else deliver(result, current);
    };
    const failed = (error: unknown) => {
      if (attempt === current) over(thrown(error));
    };
    current.next = () => {
      messages.next().then(received, failed);
    };
    current.lose = over;
    pendingSince = clock.now();
    if (!first) positions?.reopened();
    quiet = true;
    gate.opened(stream, first);
    if (first) accept({ ...opened, trailer, message: { [Symbol.asyncIterator]: () => ({ next }) } });
    first = false;
    if (pending.length > 0) current.next();
  }

  function thrown(error: unknown): Evidence {
    // The call's own time is up, and the server was the first to notice.
    const canceled = deadline !== undefined && error instanceof ConnectError && error.code === Code.DeadlineExceeded;
    return { error, connection: host.connection(), canceled };
  }

  function next(): Promise<IteratorResult<Message>> {
    if (ended) {
      if (ended.told) return Promise.resolve(done);
      ended.told = true;
      return Promise.reject(ended.error);
    }
    return new Promise((resolve, reject) => {
      if (pending.push({ resolve, reject }) > 1) return;
      if (silenceMs !== undefined) pendingSince = clock.now();
      attempt?.next?.();
    });
  }

  function deliver(result: IteratorYieldResult<Message>, current: Attempt): void {
    const message = result.value;
    if (silenceMs !== undefined) pendingSince = clock.now();
    if (quiet) gate.delivered(stream);
    quiet = false;
    if (positions) {
      let missed: "duplicate" | number;
      try {
        missed = positions.take(message);
      } catch (error) {
        stream.stop("failed", error);
        return;
      }
      if (missed === "duplicate") {
        current.next?.();
        return;
      }
      if (missed > 0) host.emit(event("streamGap", { stream: label, missed }));
    }
    last = message;
    pending.shift()?.resolve(result);
    if (pending.length > 0) current.next?.();
  }

  /** Counts silence only while the caller waits for a message: a slow reader is not a dead server. */
  function watch(current: Attempt): void {
    if (silenceMs === undefined || attempt !== current) return;
    const leftMs = first || pending.length > 0 ? pendingSince + silenceMs - clock.now() : silenceMs;
    if (leftMs <= 0) current.lose({ silent: `no message for ${silenceMs} ms` });
    else after(leftMs, current.controller.signal, () => watch(current));
  }

  function over(evidence: Evidence): void {
    leave();
    try {
      if (host.lost(stream, evidence)) reach();
    } catch (error) {
      stream.stop("failed", error); // a defect of ours must not leave the caller waiting for ever
    }
  }

  function leave(): void {
    attempt?.controller.abort(); // a plain abort: the only one that sends RST_STREAM(CANCEL)
    attempt?.retire();
    attempt = undefined;
  }

  function after(ms: number | undefined, until: AbortSignal, then: () => void): void {
    if (ms !== undefined) clock.sleep(ms, until).then(then, () => {}); // rejects only when not wanted any more
  }
}

function replace(target: Headers, source: Headers): void {
  for (const name of [...target.keys()]) target.delete(name);
  source.forEach((value, name) => {
    target.append(name, value);
  });
}
