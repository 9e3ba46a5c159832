import { Code, ConnectError } from "@connectrpc/connect";
import { expect } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, type SessionOptions } from "../src/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";
import { createFakeDevice, type FakeDevice } from "./device.js";
import { createInMemoryServer, type InMemoryServer, listen } from "./in-memory.js";

/** A chat in memory whose tokens end, and a device in the test's hands. */
export interface TokenWorld {
  readonly clock: FakeClock;
  readonly server: InMemoryServer;
  readonly device: FakeDevice;
  /** When the token ends that the client has. Epoch ms. */
  tokenEndsAt: number;
  /** Calls of `refresh` so far, with their signals. */
  readonly refreshes: AbortSignal[];
  /** Unary calls that reached the server: whether their token was good. */
  readonly said: boolean[];
  /** What `reportError` got. */
  readonly errors: unknown[];
  /** Asks nobody: a token for so many ms. */
  grant(ms: number): void;
  /** A `refresh` that counts its calls, and then does this. */
  refresh(then: (signal: AbortSignal) => unknown): (signal: AbortSignal) => Promise<unknown>;
  start(options?: SessionOptions): ReturnType<typeof listen> & {
    readonly session: ReturnType<typeof createSession>;
    readonly chat: ReturnType<typeof createClient<typeof ChatService>>;
  };
  /** No timer, and no stream. */
  leavesNothing(): Promise<void>;
}

export const expired = () => new ConnectError("expired", Code.Unauthenticated);
export const unavailable = () => new ConnectError("down", Code.Unavailable);

export function createTokenWorld(random: () => number = () => 0.5): TokenWorld {
  const clock = createFakeClock({ random });
  const device = createFakeDevice();
  const good = () => clock.now() < world.tokenEndsAt;
  const server = createInMemoryServer(({ rpc }) => {
    rpc(ChatService.method.say, () => {
      world.said.push(good());
      if (!good()) throw expired();
      return { id: 7 };
    });
    rpc(ChatService.method.upload, async (requests) => {
      world.said.push(good());
      if (!good()) throw expired();
      for await (const _ of requests);
      return {};
    });
  });
  server.refuse = () => (good() ? undefined : expired());
  const world: TokenWorld = {
    ...{ clock, server, device, refreshes: [], said: [], errors: [] },
    tokenEndsAt: clock.now() + 60_000,
    grant(ms) {
      world.tokenEndsAt = clock.now() + ms;
    },
    refresh: (then) => async (signal) => {
      world.refreshes.push(signal);
      return then(signal);
    },
    start(options = {}) {
      const session = createSession(server.transport, {
        ...{ clock, extensions: [device.extension], reportError: (error) => world.errors.push(error) },
        ...options,
      });
      return { session, chat: createClient(ChatService, session), ...listen(session) };
    },
    async leavesNothing() {
      await clock.settle();
      expect(clock.sleepers).toBe(0);
      expect(server.live).toBe(0);
    },
  };
  return world;
}

/** For ever, or until the signal aborts. */
export function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}
