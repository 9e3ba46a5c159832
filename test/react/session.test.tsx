// @vitest-environment happy-dom
import { Code, ConnectError } from "@connectrpc/connect";
import { useLayoutEffect } from "react";
import { renderToString } from "react-dom/server";
import { describe, expect, test, vi } from "vitest";
import type { Session, SessionState } from "../../src/index.js";
import { useDisconnect, useSession } from "../../src/react/index.js";
import { toConnectError } from "../../src/server/index.js";
import { createFakeDevice } from "../device.js";
import { collect } from "../in-memory.js";
import { createStage } from "./stage.js";

const stage = createStage();
const { page, served, start } = stage;

const down = () => new ConnectError("down", Code.Unavailable);
const until = new Date(Date.UTC(2030, 0, 2));
const banned = () => toConnectError({ reason: "banned", until, message: "Too loud" });

function Status({ session, seen }: { session: Session; seen?: Set<string> }) {
  const { status } = useSession(session);
  seen?.add(status);
  return status;
}

function Banner({ session, renders = [] }: { session: Session; renders?: unknown[] }) {
  const disconnect = useDisconnect(session);
  renders.push(disconnect);
  switch (disconnect?.reason) {
    case undefined:
      return "all is well";
    case "banned":
      return `banned until ${disconnect.until?.toISOString()}: ${disconnect.message}`;
    default:
      return disconnect?.reason;
  }
}

describe("useSession", () => {
  test("shows where the session stands, through an outage and back", async () => {
    const { session, chat } = start();
    await page.render(<Status session={session} />);
    await page.happens(() => collect(chat.subscribe({})));
    expect(page.text).toBe("connecting");
    await page.happens(() => served(0).end(down()));
    expect(page.text).toBe("waiting");
    await page.happens(() => stage.clock.advance(750));
    expect(page.text).toBe("probing");
    await page.happens(() => served(1).send(1));
    expect(page.text).toBe("recovering");
    await page.happens(() => session.close());
    expect(page.text).toBe("closed");
  });

  test("shows that the session is paused, and goes on", async () => {
    const device = createFakeDevice();
    const { session, chat } = start({ extensions: [device.extension] });
    await page.render(<Status session={session} />);
    await page.happens(() => collect(chat.subscribe({})));
    await page.happens(() => device.become("offline"));
    expect(page.text).toBe("paused");
    await page.happens(() => device.become(undefined));
    expect(page.text).toBe("waiting");
    await page.happens(() => session.close());
  });

  test("hands over the very object that session.state is, so that all of it can be read", async () => {
    const { session, chat } = start();
    let state: SessionState | undefined;
    function Reader() {
      state = useSession(session);
      return null;
    }
    await page.render(<Reader />);
    await page.happens(() => collect(chat.subscribe({})));
    await page.happens(() => served(0).end(down()));
    expect(state).toBe(session.state);
    expect(state).toMatchObject({ status: "waiting", until: stage.clock.now() + 750 });
    await page.happens(() => session.close());
  });

  test("shows a verdict, and that restart() has lifted it", async () => {
    const { session, chat } = start();
    await page.render(<Status session={session} />);
    await page.happens(() => collect(chat.subscribe({})));
    await page.happens(() => served(0).end(banned()));
    expect(page.text).toBe("ended");
    await page.happens(() => session.restart());
    expect(page.text).toBe("idle");
  });

  test("misses no change between its first render and its subscription", async () => {
    const { session } = start();
    function Closer() {
      useLayoutEffect(() => session.close());
      return <Status session={session} />;
    }
    await page.render(<Closer />);
    expect(page.text).toBe("closed");
  });

  test("goes over to another session and lets go of the one before", async () => {
    const first = start().session;
    const second = start().session;
    const listeners = [first, second].map(countListeners);
    await page.render(<Status session={first} />);
    expect(listeners.map(({ count }) => count)).toEqual([1, 0]);
    await page.render(<Status session={second} />);
    expect(listeners.map(({ count }) => count)).toEqual([0, 1]);
    await page.happens(() => first.close());
    expect(page.text).toBe("idle");
    await page.happens(() => second.close());
    expect(page.text).toBe("closed");
    await page.leave();
    expect(listeners.map(({ count }) => count)).toEqual([0, 0]);
  });

  test("renders nothing wrong on a server, and shows how it is once the page is hydrated", async () => {
    const { session } = start();
    session.close();
    const html = renderToString(<Status session={session} />);
    expect(html).toBe("idle");
    const seen = new Set<string>();
    await page.hydrate(html, <Status session={session} seen={seen} />);
    expect([...seen]).toEqual(["idle", "closed"]);
    expect(page.text).toBe("closed");
  });

  test.each([undefined, null, {}, "session"])("refuses %j: it is no session", (wrong) => {
    expect(() => renderToString(<Status session={wrong as never} />)).toThrow(
      new TypeError(`session: expected a session, got ${JSON.stringify(wrong)}`),
    );
  });
});

describe("useDisconnect", () => {
  test("tells what is wrong from the loss until the path is open again", async () => {
    const { session, chat } = start();
    await page.render(<Banner session={session} />);
    expect(page.text).toBe("all is well");
    await page.happens(() => collect(chat.subscribe({})));
    expect(page.text).toBe("all is well");
    await page.happens(() => served(0).end(down()));
    expect(page.text).toBe("network");
    stage.server.refuse = () => toConnectError({ reason: "maintenance", message: "Deploying" });
    await page.happens(() => stage.clock.advance(750));
    expect(page.text).toBe("maintenance");
    stage.server.refuse = undefined;
    await page.happens(() => stage.clock.advance(6_000));
    expect(session.state).toMatchObject({ status: "recovering", outage: { down: true } }); // not refused, not open either
    expect(page.text).toBe("maintenance");
    await page.happens(() => served(2).send(1));
    expect(session.state).toMatchObject({ status: "recovering", outage: { down: false } });
    expect(page.text).toBe("all is well");
    await page.happens(() => session.close());
  });

  test("tells why the device cannot go on, in the words of the outage", async () => {
    const device = createFakeDevice();
    const { session, chat } = start({ extensions: [device.extension] });
    await page.render(<Banner session={session} />);
    await page.happens(() => collect(chat.subscribe({})));
    await page.happens(() => device.become("offline"));
    expect(session.state.status).toBe("paused");
    expect(page.text).toBe("network");
    await page.happens(() => session.close());
    expect(page.text).toBe("all is well");
  });

  test("tells unauthenticated while credentials are refreshed", async () => {
    const { session, chat } = start({ refresh: () => new Promise(() => {}) });
    await page.render(<Banner session={session} />);
    await page.happens(() => collect(chat.subscribe({})));
    await page.happens(() => served(0).end(new ConnectError("expired", Code.Unauthenticated)));
    expect(session.state.status).toBe("refreshing");
    expect(page.text).toBe("unauthenticated");
    await page.happens(() => session.close());
  });

  test("tells a verdict, with the fields of its reason, until restart()", async () => {
    const { session, chat } = start();
    await page.render(<Banner session={session} />);
    await page.happens(() => collect(chat.subscribe({})));
    await page.happens(() => served(0).end(banned()));
    expect(page.text).toBe("banned until 2030-01-02T00:00:00.000Z: Too loud");
    await page.happens(() => stage.clock.advance(60_000));
    expect(page.text).toBe("banned until 2030-01-02T00:00:00.000Z: Too loud");
    await page.happens(() => session.restart());
    expect(page.text).toBe("all is well");
  });

  test("renders again only for another Disconnect, not for each step of an outage", async () => {
    const { session, chat } = start();
    const renders: unknown[] = [];
    await page.render(<Banner session={session} renders={renders} />);
    await page.happens(() => collect(chat.subscribe({})));
    renders.length = 0;
    const steps: string[] = [];
    session.on("state", ({ status }) => steps.push(status));
    await page.happens(() => served(0).end(down()));
    await page.happens(() => stage.clock.advance(749));
    await page.happens(() => stage.clock.advance(1));
    await page.happens(() => stage.clock.advance(500)); // not refused
    await page.happens(() => served(1).send(1));
    expect(steps).toEqual(["healthy", "waiting", "probing", "recovering", "recovering"]);
    expect(renders).toHaveLength(4); // twice, and StrictMode doubles each
    await page.happens(() => session.close());
  });

  test("tells nothing on a server, whatever has happened, and hydrates without a mismatch", async () => {
    const { session, chat } = start();
    collect(chat.subscribe({}));
    await stage.clock.settle();
    served(0).end(banned());
    await stage.clock.settle();
    expect(session.state.status).toBe("ended");
    const html = renderToString(<Banner session={session} />);
    expect(html).toBe("all is well");
    await page.hydrate(html, <Banner session={session} />);
    expect(page.text).toBe("banned until 2030-01-02T00:00:00.000Z: Too loud");
  });
});

/** How many listen to the state of a session now. */
function countListeners(session: Session): { readonly count: number } {
  let count = 0;
  const { on } = session;
  vi.spyOn(session, "on").mockImplementation((...listener) => {
    const removal = on(...listener);
    count++;
    return () => {
      count--;
      removal();
    };
  });
  return {
    get count() {
      return count;
    },
  };
}
