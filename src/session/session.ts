import type { DescMessage, DescMethodStreaming, MessageInitShape } from "@bufbuild/protobuf";
import type { ContextValues, StreamResponse, Transport } from "@connectrpc/connect";
import { checkTime, checkWords } from "#check";
import { classify } from "../disconnect/classify.js";
import type { Disconnect, Reason } from "../disconnect/disconnect.js";
import { errorOf } from "../disconnect/error-of.js";
import { isSpoken } from "../disconnect/spoken.js";
import { event } from "../machine/events.js";
import type { Stream } from "../stream/host.js";
import { methodName } from "../stream/method-name.js";
import { openStream } from "../stream/stream.js";
import { createCalls } from "./calls.js";
import { closedError } from "./closed.js";
import { createDriver } from "./driver.js";
import { createEffects } from "./effects.js";
import { type SessionPort, together } from "./extension.js";
import { createListeners, type Listener } from "./listeners.js";
import { createNotices } from "./notices.js";
import { checkOptions, type SessionArguments, type SessionOptions } from "./options.js";
import { createStreamHost, hear } from "./stream-host.js";
import type { Session, SessionControls } from "./types.js";

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
  const streams = new Map<number, Stream>();
  const { on, tell } = createListeners(reportError);
  const notices = createNotices(settings);
  let nextId = 1;
  let login = 0;

  /** A verdict spoken on a call counts for the whole session. A bare status does not: it is that call's answer. */
  function overhear(error: unknown, heardIn: number): Disconnect | undefined {
    if (heardIn !== login) return undefined; // it was said to the login before
    const disconnect = classify({ error }, { now: clock.now(), reasons: settings.mappings });
    if (!disconnect || !isSpoken(disconnect)) return undefined;
    errorOf(disconnect);
    hear(driver, disconnect, reportError);
    return disconnect;
  }

  const port: SessionPort = {
    transport,
    clock,
    reportError,
    get streams() {
      return streams.values();
    },
    look() {
      const why = extensions.pause();
      if (why !== undefined) return driver.feed({ type: "paused", why });
      driver.consult();
      driver.feed({ type: "resumed" });
    },
    consult: () => driver.consult(),
    setReturnWindow: (windowMs) => driver.feed({ type: "window", windowMs }),
    announced(announced, at) {
      notices.announce(announced, at?.getTime());
      driver.emit(event("notice", { announced, at }));
    },
    decided(words) {
      notices.decide(words);
      const disconnect = classify({ trailer: new Headers(), endless: true }, { notice: words });
      if (disconnect) hear(driver, disconnect, reportError);
    },
    explain: notices.decide,
    overheard: (error) => overhear(error, login),
  };
  const attached = settings.extensions.map((attach) => attach(port));
  const extensions = together(attached);
  const effects = createEffects({ ...settings, streams, turn: extensions.turn, driver: () => driver });
  const rules = { ...settings.rules, takesTurns: attached.some(({ turn }) => turn) };
  const driver = createDriver({ clock, rules, extensions, tell, carryOut: effects.carryOut });
  const way = extensions.through(transport);
  const host = createStreamHost({
    ...{ ...settings, transport: way, driver, streams, extensions },
    stateOfConnection: settings.connection,
    name: notices.name,
    disturb: effects.disturb,
  });

  function refusal(): unknown {
    if (streams.size === 0) driver.consult();
    const { state } = driver;
    if (state.status === "ended") return errorOf(state.disconnect);
    return state.status === "closed" ? closedError() : undefined;
  }

  const calls = createCalls({
    transport: way,
    get calm() {
      return effects.calm;
    },
    get login() {
      return login;
    },
    refusal,
    overhear,
  });

  const session: Transport & Omit<SessionControls, typeof Symbol.dispose> = {
    get state() {
      return driver.state;
    },
    on,
    notice(announced, at) {
      checkWords("notice", announced, reasons);
      checkTime("notice: at", at);
      notices.announce(announced, at?.getTime());
    },
    retry: () => driver.feed({ type: "retry asked" }),
    restart() {
      const { status } = driver.state;
      if (status === "closed") throw new Error("restart: the session is closed; create a new one");
      notices.forget();
      if (status !== "ended") return;
      login++;
      extensions.restarted();
      driver.feed({ type: "restarted" });
    },
    close() {
      if (driver.state.status === "closed") return;
      driver.feed({ type: "closed" });
      extensions.closed();
      calls.end(closedError());
    },
    stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
      contextValues?: ContextValues,
    ) {
      const name = methodName(method);
      const call = { method, signal, timeoutMs, header, input, contextValues };
      const refused = refusal();
      const opening = async () => {
        if (refused !== undefined) throw refused;
        return openStream(host, call, { id: nextId++, name }, settings.entries.get(name));
      };
      const response = opening();
      response.catch(() => {}); // a caller that never reads its stream must not bring the process down
      return response as Promise<StreamResponse<I, O>>;
    },
    unary: calls.unary,
  };

  // Older browsers have no Symbol.dispose; there, `using` does not exist either.
  if (typeof Symbol.dispose === "symbol") Object.assign(session, { [Symbol.dispose]: session.close });
  const listeners = reasons.map((reason) => [
    `on${reason.charAt(0).toUpperCase()}${reason.slice(1)}`,
    (listener: Listener<Reason>) => on(reason as Reason, listener),
  ]);
  return Object.assign(session, Object.fromEntries(listeners)) as Session;
}
