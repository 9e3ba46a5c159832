import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect,
  constants,
  type SecureClientSessionOptions,
} from "node:http2";
import { createTimer } from "../ports/timer.js";
import { lost } from "./lost.js";
import { createPulse, type Pulse, type PulseRules } from "./pulse.js";

/** How connections are made and watched. */
export interface Http2Rules extends PulseRules {
  readonly authority: string;
  readonly nodeOptions: ClientSessionOptions | SecureClientSessionOptions | undefined;
  readonly connectTimeoutMs: number;
  readonly pingIdleConnection: boolean;
  readonly idleConnectionTimeoutMs: number;
}

/** Whom a connection tells of itself, and asks about the others. */
export interface Http2Watcher {
  /** Whether there is another one that takes calls. */
  spare(): boolean;
  /** The server wants fewer PINGs. */
  tooManyPings(): void;
  ended(error: Error | undefined): void;
}

/** A connection, and how far it is. */
export interface Http2Life {
  readonly session: ClientHttp2Session;
  /** `leaving`: the server takes no new streams here; those there are may end in peace. */
  readonly phase: "connecting" | "taking" | "leaving" | "over";
  /** Resolves when it is made. Rejects with what kept it from that. */
  readonly opened: Promise<void>;
  /** What it was lost by, where it did not just end. */
  readonly failure: Error | undefined;
  readonly pulse: Pulse;
  /** It is about to be used. */
  use(): void;
  /** It may be that nobody uses it any more. */
  rest(): void;
  end(error?: Error): void;
}

/** For so long a connection stays that was opened because the others were full. */
const spareMs = 10_000;

/** What gRPC servers add to their GOAWAY (grpc/proposal, A8). */
const tooManyPings = Buffer.from("too_many_pings");

/**
 * Makes a connection. Its listeners stay until it is gone: Node tells of an error after the end, too, and where nobody listens any
 * more it ends the process (connectrpc/connect-es#1768). Whatever waits for it, or in it, ends with it.
 *
 * @param inUse how many streams and calls there are
 */
export function beginLife(rules: Http2Rules, watcher: Http2Watcher, inUse: () => number): Http2Life {
  const { clock, connectTimeoutMs, idleConnectionTimeoutMs, pingTimeoutMs } = rules;
  const session = connect(rules.authority, rules.nodeOptions);
  const timer = createTimer(clock); // of the opening, then of being idle
  const pulse = createPulse(session, rules, () => end(lost(`no answer to a PING within ${pingTimeoutMs} ms`)));
  const opening = createOpening();
  let phase: Http2Life["phase"] = "connecting";
  let failure: Error | undefined;

  session.on("error", end);
  session.on("close", () => end());
  session.on("stream", refuse);
  session.on("goaway", (_code: number, _last: number, debug?: Uint8Array) => {
    if (debug && tooManyPings.equals(debug)) watcher.tooManyPings();
    if (phase === "over") return;
    phase = "leaving";
    rest();
  });
  // By then the server has said how many streams it allows. Who only accepts connections is none.
  session.once("remoteSettings", () => {
    if (phase !== "connecting") return;
    phase = "taking";
    timer.stop();
    pulse.heard();
    opening.settle();
    rest();
  });
  timer.start(connectTimeoutMs, () => end(lost(`no HTTP/2 server has answered within ${connectTimeoutMs} ms`)));

  function end(error?: Error): void {
    if (phase === "over") return;
    phase = "over";
    failure = error;
    timer.stop();
    pulse.stop();
    opening.settle(error ?? lost("it was closed before it was made"));
    if (!session.destroyed) session.destroy(error, error ? constants.NGHTTP2_CANCEL : constants.NGHTTP2_NO_ERROR);
    watcher.ended(error);
  }

  /** Where nobody uses it, it keeps no process alive, and goes when its time has come. */
  function rest(): void {
    if (inUse() > 0) return;
    if (phase === "leaving" && !session.destroyed) end(); // else it is about to say why
    if (phase !== "taking") return;
    session.unref();
    if (rules.pingIdleConnection) pulse.watch();
    else pulse.stop();
    timer.start(Math.min(spareMs, idleConnectionTimeoutMs), () => {
      if (watcher.spare()) end();
      else timer.start(Math.max(0, idleConnectionTimeoutMs - spareMs), () => end());
    });
  }

  return {
    session,
    get phase() {
      return phase;
    },
    opened: opening.settled,
    get failure() {
      return failure;
    },
    pulse,
    use() {
      session.ref();
      if (phase === "taking") timer.stop();
    },
    rest,
    end,
  };
}

/** No call asks for what a server pushes. It would end the process with an error of its own, when the connection is lost. */
function refuse(pushed: ClientHttp2Stream): void {
  pushed.on("error", () => {});
  pushed.close(constants.NGHTTP2_REFUSED_STREAM);
}

/** What calls wait for until a connection is made: it is, or it could not be made. */
function createOpening(): { readonly settled: Promise<void>; settle(error?: Error): void } {
  let settle: (error?: Error) => void = () => {};
  const settled = new Promise<void>((resolve, reject) => {
    settle = (error) => (error ? reject(error) : resolve());
  });
  settled.catch(() => {}); // told to those who wait
  return { settled, settle };
}
