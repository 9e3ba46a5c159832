import { act, createElement, type Fragment, type ReactNode, StrictMode } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient, createSession, type SessionOptions } from "../../src/index.js";
import { createFakeClock, type FakeClock } from "../../src/testing/index.js";
import { createInMemoryServer, type InMemoryServer, type ServedStream } from "../in-memory.js";

/** A page, a session and a server in memory. React complains on `console.error`: a complaint fails the test. */
export interface Stage {
  readonly clock: FakeClock;
  readonly server: InMemoryServer;
  readonly page: Page;
  /** A session on the stage's server, and a chat client on it. */
  start(options?: SessionOptions): {
    readonly session: ReturnType<typeof createSession>;
    readonly chat: ReturnType<typeof createClient<typeof ChatService>>;
  };
  /** The `n`th subscription that reached the server. */
  served(n: number): ServedStream;
}

interface Page {
  /** What the user reads. */
  readonly text: string;
  readonly button: HTMLElement;
  /** Renders, under StrictMode unless told otherwise, then lets everything happen that needs no time. */
  render(node: ReactNode, mode?: typeof StrictMode | typeof Fragment): Promise<void>;
  /** Shows what a server has rendered, then takes it over. */
  hydrate(html: string, node: ReactNode): Promise<void>;
  /** Something happens, and all that follows from it. */
  happens(what: () => unknown): Promise<void>;
  leave(): Promise<void>;
}

export function createStage(): Stage {
  let clock: FakeClock;
  let server: InMemoryServer;
  let container: HTMLElement;
  let root: Root | undefined;

  beforeEach(() => {
    (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
    vi.spyOn(console, "error");
    clock = createFakeClock();
    server = createInMemoryServer();
    container = document.createElement("main");
    document.body.replaceChildren(container); // React listens for clicks here
    root = undefined;
  });

  afterEach(async () => {
    await page.leave();
    const complaints = vi.mocked(console.error).mock.calls;
    vi.restoreAllMocks();
    expect(complaints).toEqual([]);
    expect(clock.sleepers).toBe(0);
    expect(server.live).toBe(0);
  });

  const page: Page = {
    get text() {
      return container.textContent ?? "";
    },
    get button() {
      const button = container.querySelector("button");
      if (!button) throw new Error(`there is no button on "${page.text}"`);
      return button;
    },
    render: (node, mode = StrictMode) =>
      page.happens(() => {
        root ??= createRoot(container);
        root.render(createElement(mode, null, node));
      }),
    hydrate: (html, node) =>
      page.happens(() => {
        container.innerHTML = html;
        root = hydrateRoot(container, createElement(StrictMode, null, node));
      }),
    happens: (what) =>
      act(async () => {
        await what();
        await clock.settle();
      }),
    leave: () =>
      page.happens(() => {
        root?.unmount();
        root = undefined;
      }),
  };

  return {
    get clock() {
      return clock;
    },
    get server() {
      return server;
    },
    page,
    start(options = {}) {
      const session = createSession(server.transport, { clock, ...options });
      return { session, chat: createClient(ChatService, session) };
    },
    served(n) {
      const stream = server.streams[n];
      if (!stream) throw new Error(`only ${server.streams.length} streams reached the server`);
      return stream;
    },
  };
}
