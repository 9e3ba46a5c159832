/// <reference lib="esnext.disposable" preserve="true" />
import type { DescMessage, DescMethodStreaming, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { EventEmitter } from "eventemitter3";
import pRetry from "p-retry";
import { invalid } from "../check/invalid.js";
import type { Attendance } from "../control-stream/companion.js";
import { classify, type Evidence } from "../disconnect/classify.js";
import { checkTime, checkWords, type Disconnect, type DisconnectInit, type Reason } from "../disconnect/disconnect.js";
import { errorOf } from "../disconnect/error-of.js";
import { event, type SessionEvent, type SessionEvents } from "../machine/events.js";
import type { Phase } from "../machine/state.js";
import { isSpoken } from "../machine/transition.js";
import { Failure, follow, type Host } from "../stream/follow.js";
import { nameOf } from "../stream/method.js";
import { createGate } from "./gate.js";
import { checkOptions, type SessionArguments, type SessionOptions } from "./options.js";

type Listener<T extends keyof SessionEvents> = (payload: SessionEvents[T]) => unknown;

/** `onKicked`, `onBanned`, … one for each reason. Each returns its own removal. */
type ReasonListeners = { readonly [R in Reason as `on${Capitalize<R>}`]: (listener: Listener<R>) => () => void };

/**
 * One login of one user against one server. It is a `Transport`: Connect's clients and interceptors take it as it is.
 * Its streams come back after losses by the policy for the reason, and end together by a verdict.
 */
export type Session = Transport & ReasonListeners & SessionControls;

interface SessionControls {
  /** Where the session stands. A new object with each change. */
  readonly phase: Phase;
  /** Calls `listener` for each event of a type. Returns the removal. What a listener throws goes to `reportError`. */
  on<T extends keyof SessionEvents>(this: void, type: T, listener: Listener<T>): () => void;
  /**
   * Remembers a reason that the server announced by other means, such as a message in a stream. A stream that is cut
   * within `noticeMs` of `at` takes it for its reason.
   *
   * @param at when it will happen, @default now
   * @throws TypeError that names the field: an unknown reason, or a value of the wrong kind
   */
  notice(this: void, announced: DisconnectInit, at?: Date): void;
  /**
   * Ends a wait early, for a "try now" button: the next attempt goes out as soon as the rate limit lets it, but not
   * before a time that the server gave. Does nothing where nothing waits.
   */
  retry(this: void): void;
  /**
   * After a new login: lifts the verdict, so that calls go out again. Streams that were ended stay ended.
   *
   * @throws Error if the session is closed
   */
  restart(this: void): void;
  /** Ends every stream and call with `Code.Canceled`, at once and for good. */
  close(this: void): void;
  [Symbol.dispose](): void;
}

/**
 * Makes a session of a transport.
 *
 * @throws TypeError that names the option, what it was and what was expected
 * @example
 * const session = createSession(createConnectTransport({ baseUrl }));
 * session.onKicked(({ message }) => showDialog(message));
 * const chat = createClient(ChatService, session);
 */
export function createSession(transport: Transport, ...[options]: SessionArguments): Session {
  const settings = checkOptions(transport, options ?? ({} as SessionOptions));
  const { clock, reportError, reasons } = settings;
  const emitter = new EventEmitter();
  const untold: SessionEvent[] = [];
  /** What a listener brings about is told after what it listens to. */
  const emit = (...events: readonly SessionEvent[]): void => {
    if (untold.push(...events) > events.length) return;
    for (let next = untold[0]; next; untold.shift(), next = untold[0]) emitter.emit(next.type, next.payload);
  };
  const gate = createGate({ ...settings, emit });
  const calls = new Set<(error: ConnectError) => void>(); // unary calls on their way, and what ends each
  let notice: Notice | undefined;
  let nextId = 1;
  let logins = 0;

  const attending = settings.companion ? attendance() : undefined;
  if (attending) emitter.on("paused", () => void attending.then(({ rest }) => rest()));
  const host: Host = {
    transport: attending ? through(attending) : transport,
    clock,
    openTimeoutMs: settings.openTimeoutMs,
    gate,
    emit,
    connection() {
      try {
        return settings.connection?.state();
      } catch (error) {
        reportError(error);
        return undefined;
      }
    },
    lost(stream, evidence) {
      const disconnect = named(evidence, stream.sentAt);
      if (disconnect) return gate.lost(stream, disconnect);
      gate.answered(stream);
      if ("error" in evidence) stream.stop("failed", evidence.error);
      else stream.stop("complete", undefined);
      return false;
    },
    retry: (attempt, failed) =>
      pRetry(attempt, {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 0, // the policy owns every delay: a lost stream waits at the gate
        onFailedAttempt: ({ error }) => {
          if (!(error instanceof Failure) || !failed(error.evidence)) throw error;
        },
      }),
  };

  function named(evidence: Evidence, sentAt: number): Disconnect | undefined {
    const now = clock.now();
    const counts = notice && notice.from <= now && now <= notice.until && sentAt <= notice.ofStreamsBefore;
    return classify(evidence, {
      now,
      reasons: settings.mappings,
      abortedMeans: settings.abortedMeans,
      notice: counts ? notice?.announced : undefined,
    });
  }

  /** Something was announced, for a time if that is known. What was `decided` explains no stream that was sent after it. */
  function remember(announced: DisconnectInit, at: number = clock.now(), decided = false): void {
    const ofStreamsBefore = decided ? at : Number.POSITIVE_INFINITY;
    notice = { announced, from: at - settings.noticeMs, until: at + settings.noticeMs, ofStreamsBefore };
  }

  /** Apart from the core, for most sessions have no companion. */
  async function attendance(): Promise<Attendance> {
    try {
      const { attend } = await import("../control-stream/companion.js");
      return attend({
        transport,
        clock,
        streams: gate.streams,
        widen: (windowMs) => gate.widen(windowMs),
        announced(announced, at) {
          remember(announced, at?.getTime());
          emit(event("notice", { announced, at }));
        },
        decided(words) {
          remember(words, clock.now(), true);
          const disconnect = classify({ trailer: new Headers(), endless: true }, { notice: words });
          if (disconnect) gate.overheard(disconnect);
        },
        ended(error, welcomed) {
          const spoken = overhear(error, logins);
          if (spoken && welcomed) remember(spoken, clock.now(), true); // it explains what is cut with it
        },
      });
    } catch (error) {
      reportError(error); // the code could not be loaded: the session does without
      return { transport, rest() {}, restart() {}, close() {} };
    }
  }

  /** A verdict spoken on a unary call counts for the whole session. A bare status does not: it is that call's answer. */
  function overhear(error: unknown, login: number): Disconnect | undefined {
    if (login !== logins) return undefined; // it was said to the login before
    const disconnect = classify({ error }, { now: clock.now(), reasons: settings.mappings });
    if (!disconnect || !isSpoken(disconnect)) return undefined;
    errorOf(disconnect);
    gate.overheard(disconnect);
    return disconnect;
  }

  function refusal(): unknown {
    gate.consult();
    const { phase } = gate;
    if (phase.status === "ended") return errorOf(phase.disconnect);
    return phase.status === "closed" ? closedError() : undefined;
  }

  function on<T extends keyof SessionEvents>(type: T, listener: Listener<T>): () => void {
    if (typeof listener !== "function") throw invalid(`on(${JSON.stringify(type)})`, listener, "a function");
    const guarded = async (payload: SessionEvents[T]) => {
      try {
        await listener(payload);
      } catch (error) {
        reportError(error);
      }
    };
    emitter.on(type, guarded);
    return () => void emitter.off(type, guarded);
  }

  const session: Transport & Omit<SessionControls, typeof Symbol.dispose> = {
    get phase() {
      return gate.phase;
    },
    on,
    notice(announced, at) {
      checkWords("notice", announced, reasons);
      checkTime("notice: at", at);
      remember(announced, at?.getTime());
    },
    retry: () => gate.retry(),
    restart() {
      if (gate.phase.status === "closed") throw new Error("restart: the session is closed; create a new one");
      notice = undefined;
      if (gate.phase.status === "ended") {
        logins++;
        attending?.then(({ restart }) => restart());
      }
      gate.restart();
    },
    close() {
      if (gate.phase.status === "closed") return;
      gate.close();
      attending?.then(({ close }) => close());
      for (const stream of [...gate.streams]) stream.stop("canceled", closedError());
      for (const end of [...calls]) end(closedError());
    },
    stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
      contextValues?: ContextValues,
    ) {
      const name = nameOf(method);
      const call = { method, signal, timeoutMs, header, input, contextValues };
      const refused = refusal();
      const response = (async (): Promise<unknown> => {
        if (refused !== undefined) throw refused;
        return follow(host, call, { id: nextId++, name }, settings.entries.get(name));
      })();
      response.catch(() => {}); // a caller that never reads its stream must not bring the process down
      return response as Promise<StreamResponse<I, O>>;
    },
    unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: MessageInitShape<I>,
      contextValues?: ContextValues,
    ) {
      const refused = refusal();
      if (refused !== undefined) return Promise.reject(refused);
      return new Promise<UnaryResponse<I, O>>((resolve, reject) => {
        const controller = new AbortController();
        const login = logins;
        const end = (error: ConnectError) => {
          controller.abort();
          reject(error); // without waiting for the transport: an abort can be lost on its way through fetch
        };
        const cancel = () => end(ConnectError.from(signal?.reason, Code.Canceled));
        calls.add(end);
        signal?.addEventListener("abort", cancel);
        if (signal?.aborted) cancel();
        gate
          .calm()
          .then(() => {
            controller.signal.throwIfAborted(); // it may have been canceled just now
            const late = refusal();
            if (late !== undefined) throw late;
            return host.transport.unary(method, controller.signal, timeoutMs, header, input, contextValues);
          })
          .then(resolve, (error) => {
            overhear(error, login);
            reject(error);
          })
          .finally(() => {
            calls.delete(end);
            signal?.removeEventListener("abort", cancel);
          });
      });
    },
  };

  // Older browsers have no Symbol.dispose; there, `using` does not exist either.
  if (typeof Symbol.dispose === "symbol") Object.assign(session, { [Symbol.dispose]: session.close });
  const listeners = reasons.map((reason) => [
    `on${reason.charAt(0).toUpperCase()}${reason.slice(1)}`,
    (listener: Listener<Reason>) => on(reason as Reason, listener),
  ]);
  return Object.assign(session, Object.fromEntries(listeners)) as Session;
}

/** Announced words, and which cuts they explain. Times are epoch ms. */
interface Notice {
  readonly announced: DisconnectInit;
  readonly from: number;
  readonly until: number;
  readonly ofStreamsBefore: number;
}

/** What is ready only in a moment. */
function through(attending: Promise<{ readonly transport: Transport }>): Transport {
  return {
    stream: async (...call) => (await attending).transport.stream(...call),
    unary: async (...call) => (await attending).transport.unary(...call),
  };
}

function closedError(): ConnectError {
  return new ConnectError("the session is closed", Code.Canceled);
}
