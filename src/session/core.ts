import type { Transport } from "@connectrpc/connect";
import { connectionOf } from "#connection";
import { classify } from "../disconnect/classify.js";
import type { Disconnect } from "../disconnect/disconnect.js";
import { errorOf } from "../disconnect/error-of.js";
import { isSpoken } from "../disconnect/spoken.js";
import { event } from "../machine/events.js";
import type { StreamLabel } from "../machine/stream-label.js";
import { answerOf } from "../ports/guarded.js";
import type { SessionStream, StreamHost } from "../stream/host.js";
import { closedError } from "./closed.js";
import { type Credentials, createCredentials } from "./credentials.js";
import { createDriver, type Driver } from "./driver.js";
import { createEffects } from "./effects.js";
import { type Attached, type SessionPort, together } from "./extension.js";
import { createListeners, type Listeners } from "./listeners.js";
import { createNotices, type Notices } from "./notices.js";
import type { Settings } from "./options.js";
import type { RetriedEntry } from "./retried-entry.js";
import { createStreamHost, hear } from "./stream-host.js";

/** The parts of a session, put together. */
export interface Core {
  readonly driver: Driver;
  readonly listeners: Listeners;
  readonly notices: Notices;
  readonly credentials: Credentials;
  readonly extensions: Required<Attached>;
  /** The session, as its streams see it. */
  readonly host: StreamHost;
  /** The way of the session's own calls. */
  readonly transport: Transport;
  /** Resolves when a call may perhaps go out that may not now: a connection has just failed, or new credentials are to come. */
  wait(own: boolean): Promise<void> | undefined;
  /** Which login this is: what was said to the one before is no news for it. */
  login: number;
  readonly reportError: (error: unknown) => void;
  /** Which unary calls may be retried. */
  readonly retried: readonly RetriedEntry[];
  /** A label with the next number. */
  label(name: string): StreamLabel;
  /** Why no call may go out any more. */
  refusal(): unknown;
  /** A verdict spoken on a call counts for the whole session. A bare status does not: it is that call's answer. */
  overhear(error: unknown, login: number): Disconnect | undefined;
}

export function createCore(transport: Transport, settings: Settings): Core {
  const { clock, reportError, retried } = settings;
  const streams = new Map<number, SessionStream>();
  let nextId = 1;
  const listeners = createListeners(reportError);
  const notices = createNotices(settings);
  const connection = connectionOf(transport, settings);

  const port: SessionPort = {
    transport: connection.transport,
    clock,
    reportError,
    headersTimeoutMs: settings.headersTimeoutMs,
    rateLimit: settings.rules.rateLimit,
    get streams() {
      return streams.values();
    },
    look() {
      connection.look();
      const why = extensions.pause();
      if (why !== undefined) return driver.feed({ type: "paused", why });
      driver.consult();
      credentials.look();
      driver.feed({ type: "resumed" });
    },
    consult: () => driver.consult(),
    setReturnWindow: (windowMs) => driver.feed({ type: "window", windowMs }),
    announced(announced, at) {
      notices.announce(announced, at);
      driver.emit(event("notice", { announced, at }));
    },
    decided(words) {
      notices.decide(words);
      const disconnect = classify({ trailer: new Headers(), endless: true }, { notice: words });
      if (disconnect) hear(driver, disconnect, reportError);
    },
    explain: notices.decide,
    overheard: (error) => core.overhear(error, core.login),
  };
  const credentials = createCredentials({
    ...{ ...settings, transport, refreshed: () => extensions.refreshed() },
    driver: () => driver,
  });
  const attached = [
    credentials,
    ...settings.extensions.map((attach) => answerOf(() => attach(port), reportError) ?? {}),
  ];
  const extensions = together(attached, reportError);
  const effects = createEffects({
    ...{ streams, credentials, turn: extensions.turn },
    driver: () => driver,
  });
  const driver = createDriver({
    ...{ clock, extensions, tell: listeners.tell, carryOut: effects.carryOut },
    rules: { ...settings.rules, takesTurns: attached.some(({ turn }) => turn) },
  });
  const way = extensions.through(connection.transport);

  const core: Core = {
    ...{ driver, listeners, notices, credentials, extensions, transport: way, login: 0, reportError, retried },
    host: createStreamHost({
      ...{ ...settings, transport: way, driver, streams, extensions },
      connection: connection.look,
      name: notices.name,
      disturb: effects.disturb,
    }),
    wait: (own) => effects.calm ?? (own ? undefined : credentials.wait()),
    label: (name) => ({ id: nextId++, name }),
    refusal() {
      if (streams.size === 0) driver.consult();
      const { state } = driver;
      if (state.status === "ended") return errorOf(state.disconnect);
      return state.status === "closed" ? closedError() : undefined;
    },
    overhear(error, login) {
      if (login !== core.login) return undefined; // it was said to the login before
      const disconnect = classify({ error }, { now: clock.now(), reasons: settings.mappings });
      if (!disconnect || !isSpoken(disconnect)) return undefined;
      errorOf(disconnect);
      hear(driver, disconnect, reportError);
      return disconnect;
    },
  };
  return core;
}
