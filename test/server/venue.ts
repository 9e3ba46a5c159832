import {
  createClient,
  createRouterTransport,
  type Interceptor,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { classify, type Disconnect } from "../../src/index.js";
import {
  type Bouncer,
  type BouncerOptions,
  ControlStreamService,
  controlStreamService,
  createBouncer,
  type Identity,
  type Logger,
} from "../../src/server/index.js";
import { rawRequestKey } from "../../src/server/inside/raw-stream.js";
import { createFakeClock, type FakeClock } from "../../src/testing/index.js";
import type { FakeStream } from "./fake-stream.js";

// A bouncer before a chat server in memory, and raw clients without any policy. Who they are, the test says.

/** One raw client's stream. */
export interface Guest {
  /** It got its first message. */
  readonly entered: boolean;
  /** What its stream ended with, other than a Disconnect; `undefined` as long as it goes on. */
  readonly error: unknown;
  /** What it was told. */
  readonly told: Disconnect | undefined;
  /** It is inside, or its stream has ended. */
  readonly decided: Promise<void>;
  readonly end: Promise<Disconnect | undefined>;
  leave(): void;
}

/** Who calls. `below`: the raw stream, if it has one. `claim`: the client's own name for its session. */
export type Caller = Identity & { readonly below?: FakeStream; readonly claim?: string };

export interface Venue {
  readonly clock: FakeClock;
  readonly bouncer: Bouncer;
  readonly transport: Transport;
  /** What was logged as an error, or reported. */
  readonly failures: unknown[];
  /** The reason of each handler's signal, when it was aborted. */
  readonly reasons: unknown[];
  /** The header with which a call says who it comes from. */
  headerOf(caller: Caller): Headers;
  enter(caller: Caller): Guest;
}

type Subscribe = ServiceImpl<typeof ChatService>["subscribe"];
type Say = ServiceImpl<typeof ChatService>["say"];

/** @param options of the bouncer; `identified` is awaited before a caller is known */
export function openVenue({
  identified,
  subscribe,
  say = () => ({ id: 1 }),
  ...options
}: Partial<BouncerOptions> & {
  readonly identified?: () => Promise<unknown>;
  readonly subscribe?: Subscribe;
  readonly say?: Say;
} = {}): Venue {
  const clock = createFakeClock();
  const failures: unknown[] = [];
  const reasons: unknown[] = [];
  const callers: Caller[] = [];
  const callerOf = (header: Headers) => callers[Number(header.get("caller"))];
  const bouncer = createBouncer({
    async identify({ header }) {
      await identified?.();
      const { below: _, claim: __, ...identity } = callerOf(header) ?? {};
      return identity;
    },
    clock,
    logger: createLogger(failures),
    ...options,
  });
  const onALine: Interceptor = (next) => (request) => {
    request.contextValues.set(rawRequestKey, callerOf(request.header)?.below?.raw);
    return next(request);
  };
  const serve: Subscribe =
    subscribe ??
    async function* (_, { signal }) {
      yield { id: 1 };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reasons.push(signal.reason);
    };
  const transport = createRouterTransport(
    (router) => {
      router.service(ChatService, { subscribe: serve, say });
      router.service(ControlStreamService, controlStreamService(bouncer));
    },
    { router: { interceptors: [onALine, bouncer.interceptor] } },
  );
  const chat = createClient(ChatService, transport);
  const leaves = new Set<() => void>();
  onTestFinished(async () => {
    for (const leave of leaves) leave();
    bouncer.close();
  });

  function headerOf(caller: Caller): Headers {
    const header = new Headers({ caller: String(callers.push(caller) - 1) });
    if (caller.claim !== undefined) header.set("farewell-session", caller.claim);
    return header;
  }

  return {
    clock,
    bouncer,
    transport,
    failures,
    reasons,
    headerOf,
    enter(caller) {
      const gone = new AbortController();
      const leave = () => gone.abort();
      leaves.add(leave);
      let decide = () => {};
      const decided = new Promise<void>((resolve) => {
        decide = resolve;
      });
      const guest = { entered: false, error: undefined as unknown, told: undefined as Disconnect | undefined };
      const end = (async () => {
        try {
          const stream = chat.subscribe({}, { headers: headerOf(caller), signal: gone.signal });
          for await (const _ of stream) {
            guest.entered = true;
            decide();
          }
        } catch (error) {
          guest.error = error;
          guest.told = classify({ error }, { now: clock.now() });
        }
        leaves.delete(leave);
        decide();
        return guest.told;
      })();
      return Object.assign(guest, { decided, end, leave });
    },
  };
}

/** Keeps what was logged as an error. */
function createLogger(failures: unknown[]): Logger {
  const nowhere = () => {};
  return {
    debug: nowhere,
    info: nowhere,
    warn: nowhere,
    error: (fields, message) => void failures.push(`${message}: ${(fields as { err: unknown }).err}`),
  };
}
