import type { DescMessage, DescMethodStreaming, MessageInitShape } from "@bufbuild/protobuf";
import type { ContextValues, StreamResponse, Transport } from "@connectrpc/connect";
import { checkTime, checkWords } from "#check";
import type { Reason } from "../disconnect/disconnect.js";
import type { StreamLabel } from "../machine/stream-label.js";
import { guarded } from "../ports/guarded.js";
import { methodName } from "../stream/method-name.js";
import { openStream } from "../stream/stream.js";
import { createCalls } from "./calls.js";
import { closedError } from "./closed.js";
import { createCore } from "./core.js";
import type { Listener } from "./listeners.js";
import { checkOptions, reportTo, type SessionArguments, type SessionOptions } from "./options.js";
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
  const { reasons, entries } = settings;
  const core = createCore(transport, settings);
  const { driver, notices, extensions, host } = core;
  const { on } = core.listeners;
  const calls = createCalls(core);

  const session: Transport & Omit<SessionControls, typeof Symbol.dispose> = {
    get state() {
      return driver.state;
    },
    on,
    notice(announced, at) {
      checkWords("notice", announced, reasons);
      checkTime("notice: at", at);
      notices.announce(announced, at);
    },
    async refresh() {
      const refused = core.refusal();
      if (refused !== undefined) throw refused;
      return core.credentials.ask();
    },
    retry: () => driver.feed({ type: "retry asked" }),
    restart() {
      const { status } = driver.state;
      if (status === "closed") throw new Error("restart: the session is closed; create a new one");
      notices.forget();
      if (status !== "ended") return;
      core.login++;
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
      labelled?: (stream: StreamLabel) => void,
    ) {
      const name = methodName(method);
      const call = { method, signal, timeoutMs, header, input, contextValues };
      const refused = core.refusal();
      const opening = async () => {
        if (refused !== undefined) throw refused;
        const label = core.label(name);
        void guarded(() => labelled?.(label), settings.reportError);
        return openStream(host, call, label, entries.get(name));
      };
      const response = opening();
      response.catch(() => {}); // a caller that never reads its stream must not bring the process down
      return response as Promise<StreamResponse<I, O>>;
    },
    unary: calls.unary,
  };

  // Older browsers have no Symbol.dispose; there, `using` does not exist either.
  if (typeof Symbol.dispose === "symbol") Object.assign(session, { [Symbol.dispose]: session.close });
  const onReasons = reasons.map((reason) => [
    `on${reason.charAt(0).toUpperCase()}${reason.slice(1)}`,
    (listener: Listener<Reason>) => on(reason as Reason, listener),
  ]);
  reportTo(session, settings.reportError);
  return Object.assign(session, Object.fromEntries(onReasons)) as Session;
}
