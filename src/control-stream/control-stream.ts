import { create, type Message } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type StreamResponse, type Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import type { DisconnectInit } from "../disconnect/disconnect.js";
import { wordsOf } from "../disconnect/spoken.js";
import { sessionHeader } from "../disconnect/wire.js";
import {
  ControlStreamService,
  OpenRequestSchema,
  type OpenResponse,
  type OpenResponse_Notice,
  type OpenResponse_Verdict,
} from "../gen/farewell/v1/control_stream_pb.js";
import type { Attached, Clock, Extension, SessionPort, Stream } from "../session/extension.js";

// The stream beside all others: it names the session at the door, and hears what the others cannot be told. Without a
// server that has it, everything is as if it were not there.

const patienceMs = 1_000; // that the first stream waits for the welcome
const lingerMs = 5_000; // that the companion stays after the last stream
const againMs = 60_000; // until it is asked for again where it could not be had
const silentBeats = 2.5;

type Call = Parameters<Transport["stream"]>;

/**
 * Attends the server's `farewell.v1.ControlStreamService`, if it has one: signs of life for all streams, notices ahead of time,
 * and words that explain even an abort. The first stream waits for its welcome. It sends the header `farewell-session`,
 * which CORS must allow for other origins.
 *
 * @example
 * const session = createSession(transport, { extensions: [controlStream()] });
 */
export function controlStream(): Extension {
  return attach;
}

function attach(session: SessionPort): Attached {
  const { transport, clock } = session;
  let name = newName(clock);
  let known: "unasked" | "asked" | "welcomed" | "absent" = "unasked";
  let askAt = 0;
  let current: AbortController | undefined;
  let answered: Promise<void> = Promise.resolve();
  let open = 0;
  let linger = new AbortController();
  let again = new AbortController();
  let patient = true;
  let beatMs = Number.POSITIVE_INFINITY; // how often the server gives a sign of life, once it has said so

  /** Opens the companion, unless it is there, or known not to be had. Resolves with its first answer, good or bad. */
  function start(): Promise<void> {
    if (current || known === "absent" || clock.now() < askAt) return answered;
    const own = new AbortController();
    current = own;
    if (known === "unasked") known = "asked";
    answered = new Promise((resolve) => {
      read(own, resolve).then(resolve);
    });
    return answered;
  }

  async function read(own: AbortController, welcome: () => void): Promise<void> {
    let welcomed = false;
    let beat = new AbortController();
    own.signal.addEventListener("abort", () => beat.abort());
    listen(own, beat.signal); // one that does not answer is no better than one that has fallen silent
    try {
      const { method } = ControlStreamService;
      const input = createAsyncIterable([create(OpenRequestSchema)]);
      const header = { [sessionHeader]: name };
      const { message } = await transport.stream(method.open, own.signal, 0, header, input);
      for await (const { event } of message) {
        if (current !== own) return;
        if (event.case === "welcome") {
          const { heartbeatInterval, returnWindow } = event.value;
          welcomed = true;
          known = "welcomed";
          beatMs = heartbeatInterval ? durationMs(heartbeatInterval) : beatMs;
          session.setReturnWindow(returnWindow && durationMs(returnWindow));
          welcome();
        } else hear(event);
        beat.abort();
        beat = new AbortController();
        listen(own, beat.signal);
      }
    } catch (error) {
      if (current !== own) return;
      // gRPC has a status for "no such service"; in Connect's protocol an HTTP 404 becomes the same.
      if (error instanceof ConnectError && error.code === Code.Unimplemented) known = "absent";
      const verdict = session.overheard(error);
      if (verdict && welcomed) session.explain(verdict); // what is cut with it
    } finally {
      beat.abort();
      if (current === own) {
        current = undefined;
        if (!welcomed) askAt = clock.now() + againMs;
        askAgain();
      }
    }
  }

  /** While streams go on, a companion that has ended is asked for again: no new stream may come to do it. */
  function askAgain(): void {
    if (open === 0 || known === "absent") return;
    again.abort();
    again = new AbortController();
    clock.sleep(againMs * (1 + clock.random()), again.signal).then(
      () => void start(),
      () => {}, // no stream is left
    );
  }

  function hear(event: OpenResponse["event"]): void {
    if (event.case === "notice") {
      const words = wordsFrom(event.value, clock.now());
      const { after } = event.value;
      if (words) session.announced(words, after && new Date(clock.now() + durationMs(after)));
    } else if (event.case === "verdict") {
      const words = wordsFrom(event.value, clock.now());
      if (words) session.decided(words);
    }
  }

  /** After too long a silence its connection is dead, and with it all streams that have had no news lately either. */
  function listen(own: AbortController, until: AbortSignal): void {
    const silentMs = beatMs * silentBeats;
    if (silentMs === Number.POSITIVE_INFINITY) return;
    clock
      .sleep(silentMs - beatMs, until)
      .then(() => {
        const marks = new Map([...session.streams].map((stream) => [stream, stream.last]));
        const markedAt = clock.now();
        return clock.sleep(beatMs, until).then(() => {
          if (current !== own) return;
          stop();
          const hasNews = ({ last, sentAt }: Stream, mark?: Message) =>
            sentAt >= markedAt || (last !== undefined && last !== mark);
          const dead = [...session.streams].filter((stream) => !hasNews(stream, marks.get(stream)));
          if (dead.length < [...session.streams].length) void start(); // otherwise the streams bring it back
          for (const stream of dead) stream.lose({ silent: `no sign of life for ${silentMs} ms` });
        });
      })
      .catch(() => {}); // heard from, or over
  }

  function rest(): void {
    askAt = 0;
    stop();
  }

  function stop(): void {
    const own = current;
    current = undefined; // first: what comes of the abort concerns nobody
    own?.abort();
  }

  function entered(): void {
    open++;
    linger.abort();
  }

  function left(): void {
    if (--open > 0) return;
    again.abort();
    linger = new AbortController();
    clock.sleep(lingerMs, linger.signal).then(stop, () => {}); // another stream came, or all is over
  }

  function named(header: HeadersInit | undefined): HeadersInit | undefined {
    if (known !== "welcomed") return header;
    const headers = new Headers(header);
    headers.set(sessionHeader, name);
    return headers;
  }

  async function stream(...[method, signal, timeoutMs, header, input, values]: Call): Promise<StreamResponse> {
    entered();
    signal?.addEventListener("abort", left, { once: true });
    if (signal?.aborted) left();
    if (patient && (known === "unasked" || (known === "asked" && current))) await within(start(), signal);
    signal?.throwIfAborted(); // the companion may have heard a verdict
    try {
      const response = await transport.stream(method, signal, timeoutMs, named(header), input, values);
      void start();
      return response;
    } catch (error) {
      askAt = 0; // where nothing gets through, the companion's failure says nothing about the server
      throw error;
    }
  }

  function within(answer: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const timer = new AbortController();
    const late = clock.sleep(patienceMs, timer.signal).then(
      () => {
        patient = false; // it hangs: the others need not wait for it as well
      },
      () => {}, // answered in time
    );
    const gone = new Promise<void>((resolve) => {
      timer.signal.addEventListener("abort", () => resolve());
      signal?.addEventListener("abort", () => timer.abort(), { once: true });
    });
    return Promise.race([answer, late, gone]).then(() => timer.abort());
  }

  return {
    through: () => ({
      stream: stream as unknown as Transport["stream"],
      unary: (method, signal, timeoutMs, header, input, values) =>
        transport.unary(method, signal, timeoutMs, named(header), input, values),
    }),
    /** In a pause it ends as well. The next stream brings it back. */
    stepped({ before, state }) {
      if (state.phase.status === "paused" && before.phase.status !== "paused") rest();
    },
    restarted() {
      name = newName(clock);
      patient = true;
      rest();
    },
    closed() {
      stop();
      linger.abort();
      again.abort();
      askAt = Number.POSITIVE_INFINITY;
    },
  };
}

/** The words of a companion's message, or `undefined` for a reason that this version does not know. */
function wordsFrom(
  { disconnect, localized, message }: OpenResponse_Notice | OpenResponse_Verdict,
  now: number,
): DisconnectInit | undefined {
  const details = [disconnect, localized].filter((detail) => detail !== undefined);
  const { spoken, localized: text } = wordsOf(details, new Headers(), now);
  return spoken && ({ ...spoken.fields, reason: spoken.reason, message, localized: text } as DisconnectInit);
}

/** Random, so that nobody else can claim it. */
function newName({ random }: Clock): string {
  // React Native has no crypto of its own.
  const bytes =
    globalThis.crypto?.getRandomValues(new Uint8Array(16)) ?? Uint8Array.from({ length: 16 }, () => random() * 256);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
