import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { dateFrom } from "../disconnect/border.js";
import { sessionHeader } from "../disconnect/wire.js";
import { ControlStreamService, OpenRequestSchema, type OpenResponse } from "../gen/farewell/v1/control_stream_pb.js";
import { createTimer } from "../ports/timer.js";
import { createBudget, type SessionPort } from "../session/extension.js";
import { createHeartbeat } from "./heartbeat.js";
import { newSessionName } from "./session-name.js";
import { createSuccession } from "./succession.js";
import { wordsFrom } from "./words.js";

/** The control stream of a session: opened while it is wanted, and opened again. */
export interface Attendance {
  /** Whether a server has it: `asked`: the first answer is not there yet. `absent`: this server has none. */
  readonly known: "unasked" | "asked" | "welcomed" | "absent";
  /** Names the session, as in the header. */
  readonly name: string;
  /** The server sends a stream's headers as soon as it has let it in. */
  readonly timesHeaders: boolean;
  /** Whether it is open, or being opened. */
  readonly open: boolean;
  /** Opens it, unless it is there, or known not to be had. Resolves with its first answer, good or bad. */
  start(): Promise<void>;
  /** Shows the server new credentials, by a call that takes the place of the one there as soon as it is welcomed. */
  renew(): void;
  stop(): void;
  /** Nothing got through elsewhere either: that it failed says nothing about the server. */
  excuse(): void;
  /** A new login has a new name. */
  rename(): void;
  /** No stream is left to ask for it again. */
  forget(): void;
  /** For good. */
  close(): void;
}

const againMs = 60_000; // until it is asked for again where it could not be had

export function createAttendance(session: SessionPort, wanted: () => boolean): Attendance {
  const { transport, clock } = session;
  const again = createTimer(clock);
  const budget = createBudget(session.rateLimit);
  const streams = () => [...session.streams];
  const heartbeat = createHeartbeat({ clock, streams }, (dead, silentMs) => {
    stop();
    if (dead.length < streams().length) void start(); // otherwise the streams bring it back
    for (const stream of dead) stream.lose({ silent: `no sign of life for ${silentMs} ms` });
  });
  let name = newSessionName(clock);
  let known: Attendance["known"] = "unasked";
  let timesHeaders = false;
  let askAt = 0;
  const calls = createSuccession();
  let answered: Promise<void> = Promise.resolve();

  function start(): Promise<void> {
    if (calls.there || known === "absent") return answered;
    if (clock.monotonic() < askAt) {
      if (wanted()) later(); // no other stream may come to ask
      return answered;
    }
    if (held(start)) return answered;
    const own = calls.begin();
    if (known === "unasked") known = "asked";
    answered = new Promise((resolve) => void attend(own, resolve).then(resolve));
    return answered;
  }

  /** Whether it has to wait: what is to be done is then done later. */
  function held(later: () => unknown): boolean {
    const heldMs = budget(clock.monotonic());
    if (heldMs > 0) again.start(heldMs, () => void (wanted() && later()));
    return heldMs > 0;
  }

  function renew(): void {
    if (calls.there && held(renew)) return;
    if (calls.there) void attend(calls.beginNext(), () => {});
    else if (wanted()) void start();
  }

  function stop(): void {
    heartbeat.stop();
    calls.stop();
  }

  async function attend(own: AbortController, answer: () => void): Promise<void> {
    let welcomed = false;
    heartbeat.heard(); // one that does not answer is no better than one that has fallen silent
    const error = await listen(transport, name, own.signal, (event) => {
      if (event.case === "welcome") {
        const { heartbeatInterval, returnWindow, headersAtAdmission } = event.value;
        welcomed = true;
        calls.welcomed(own);
        known = "welcomed";
        if (heartbeatInterval) heartbeat.every(durationMs(heartbeatInterval));
        session.setReturnWindow(returnWindow && durationMs(returnWindow));
        timesHeaders = headersAtAdmission;
        answer();
      } else hearEvent(session, event);
      heartbeat.heard();
    });
    const which = calls.ended(own);
    if (which === "next") {
      // The one there goes on, until its credentials end.
      if (error !== undefined) session.overheard(error);
      if (wanted()) again.start(againMs * (1 + clock.random()), renew);
      return;
    }
    if (which === undefined) return;
    if (error !== undefined) session.look(); // what it was on may have been lost
    heartbeat.stop();
    // gRPC has a status for "no such service"; in Connect's protocol an HTTP 404 becomes the same.
    if (error instanceof ConnectError && error.code === Code.Unimplemented) known = "absent";
    const verdict = error !== undefined && session.overheard(error);
    if (verdict && welcomed) session.explain(verdict); // what is cut with it
    if (!welcomed) askAt = clock.monotonic() + againMs;
    // While streams go on, one that has ended is asked for again: no new stream may come to do it.
    if (wanted() && known !== "absent") later();
  }

  function later(): void {
    again.start(againMs * (1 + clock.random()), () => void start());
  }

  return {
    get known() {
      return known;
    },
    get name() {
      return name;
    },
    get timesHeaders() {
      return timesHeaders && known !== "absent";
    },
    get open() {
      return calls.there;
    },
    start,
    renew,
    stop,
    excuse() {
      askAt = 0;
    },
    rename() {
      name = newSessionName(clock);
    },
    forget: again.stop,
    close() {
      stop();
      again.stop();
      askAt = Number.POSITIVE_INFINITY;
    },
  };
}

/** One call: tells each event, and answers with what it ended with, `undefined` for a clean end. Never rejects. */
async function listen(
  transport: Transport,
  name: string,
  signal: AbortSignal,
  tell: (event: OpenResponse["event"]) => void,
): Promise<unknown> {
  try {
    const { method } = ControlStreamService;
    const input = createAsyncIterable([create(OpenRequestSchema)]);
    const { message } = await transport.stream(method.open, signal, 0, { [sessionHeader]: name }, input);
    for await (const { event } of message) {
      if (signal.aborted) return undefined;
      tell(event);
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

function hearEvent(session: SessionPort, event: OpenResponse["event"]): void {
  const now = session.clock.now();
  if (event.case === "notice") {
    const words = wordsFrom(event.value, now);
    const { after } = event.value;
    if (words) session.announced(words, after && dateFrom(now + durationMs(after)));
  } else if (event.case === "verdict") {
    const words = wordsFrom(event.value, now);
    if (words) session.decided(words);
  }
}
