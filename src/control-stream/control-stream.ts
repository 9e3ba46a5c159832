import { Code, ConnectError, type StreamResponse, type Transport } from "@connectrpc/connect";
import { sessionHeader } from "../disconnect/wire.js";
import { createTimer } from "../ports/timer.js";
import type { Attached, Extension, SessionPort } from "../session/extension.js";
import { createAttendance } from "./attendance.js";

// The stream beside all others: it names the session at the door, and hears what the others cannot be told. Without a
// server that has it, everything is as if it were not there.

const patienceMs = 1_000; // that the first stream waits for the welcome
const headersMs = 15_000; // to be let in may take a server a while
const lingerMs = 5_000; // that the control stream stays after the last stream

type Call = Parameters<Transport["stream"]>;

/**
 * Opens the server's `farewell.v1.ControlStreamService`, if it has one: signs of life for all streams, notices ahead of
 * time, and words that explain even an abort. The first stream waits for its welcome, for a second at most. It sends the
 * header `farewell-session`, which CORS must allow for other origins.
 *
 * @example
 * const session = createSession(transport, { extensions: [controlStream()] });
 */
export function controlStream(): Extension {
  return attach;
}

function attach(session: SessionPort): Attached {
  const { clock } = session;
  const linger = createTimer(clock);
  const attendance = createAttendance(session, () => open > 0);
  let open = 0; // streams of the session
  let patient = true;

  function enter(signal: AbortSignal | undefined): void {
    open++;
    linger.stop();
    const left = () => {
      if (--open > 0) return;
      attendance.forget();
      linger.start(lingerMs, attendance.stop);
    };
    if (signal?.aborted) left();
    else signal?.addEventListener("abort", left, { once: true });
  }

  /** The welcome, for as long as the first stream waits for it. */
  function welcome(signal: AbortSignal | undefined): Promise<void> {
    const timer = createTimer(clock);
    const enough = new Promise<void>((resolve) => {
      timer.start(patienceMs, () => {
        patient = false; // it hangs: the others need not wait for it as well
        resolve();
      });
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
    return Promise.race([attendance.start(), enough]).then(timer.stop);
  }

  /** Where headers come at admission, a stream without is lost after a while, if the app does not say when. */
  function inTime<T>(response: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (!attendance.timesHeaders || session.headersTimeoutMs !== undefined) return response;
    const timer = createTimer(clock);
    const late = new Promise<never>((_, reject) => {
      timer.start(headersMs, () => {
        void attendance.start(); // another server may be there, which says otherwise
        reject(new ConnectError(`no response within ${headersMs} ms`, Code.Unavailable));
      });
    });
    signal?.addEventListener("abort", timer.stop, { once: true }); // there may never be a response
    return Promise.race([response, late]).finally(timer.stop);
  }

  function named(header: HeadersInit | undefined): HeadersInit | undefined {
    if (attendance.known !== "welcomed") return header;
    const headers = new Headers(header);
    headers.set(sessionHeader, attendance.name);
    return headers;
  }

  async function stream(inner: Transport, call: Call): Promise<StreamResponse> {
    const [method, signal, timeoutMs, header, input, values] = call;
    enter(signal);
    const { known } = attendance;
    if (patient && (known === "unasked" || (known === "asked" && attendance.open))) await welcome(signal);
    if (signal?.aborted) throw new ConnectError("canceled", Code.Canceled); // it may have heard a verdict
    try {
      const response = await inTime(inner.stream(method, signal, timeoutMs, named(header), input, values), signal);
      void attendance.start();
      return response;
    } catch (error) {
      attendance.excuse();
      throw error;
    }
  }

  function rest(): void {
    attendance.excuse();
    attendance.stop();
  }

  return {
    through: (inner) => ({
      stream: ((...call: Call) => stream(inner, call)) as unknown as Transport["stream"],
      unary: (method, signal, timeoutMs, header, input, values) =>
        inner.unary(method, signal, timeoutMs, named(header), input, values),
    }),
    /** In a pause it ends as well. The next stream brings it back. */
    stepped({ before, state }) {
      if (state.phase.status === "paused" && before.phase.status !== "paused") rest();
    },
    refreshed: attendance.renew,
    restarted() {
      attendance.rename();
      patient = true;
      rest();
    },
    closed() {
      attendance.close();
      linger.stop();
    },
  };
}
