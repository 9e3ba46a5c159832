// @vitest-environment happy-dom
import { Code, ConnectError, createClient as createConnectClient } from "@connectrpc/connect";
import * as react from "react";
import { Component, Fragment, type ReactNode, StrictMode, Suspense, startTransition, useState } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { describe, expect, test, vi } from "vitest";
import type { Message } from "../../examples/gen/chat/v1/chat_pb.js";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { method } from "../../src/index.js";
import { type Following, type OpenStream, useStream } from "../../src/react/index.js";
import { toConnectError } from "../../src/server/index.js";
import { createStage, type Stage } from "./stage.js";

const stage = createStage();
const { page, served, start } = stage;

type Chat = ReturnType<Stage["start"]>["chat"];

const down = () => new ConnectError("down", Code.Unavailable);
const banned = () => toConnectError({ reason: "banned", message: "Too loud" });
const rooms = () => stage.server.streams.map(({ request }) => request.room);
const patience = { timeout: 60_000 }; // ms of real time, where nothing else can be waited for
const ids = (messages: readonly number[], { id }: { readonly id: number }) => [...messages, id];

/** All ids that came to a room; `seen` gets what each render saw. */
function Room({ chat, room = "lobby", seen }: { chat: Chat; room?: string; seen?: Following<readonly number[]>[] }) {
  const stream = useStream((signal) => chat.subscribe({ room }, { signal }), [room], ids, [] as readonly number[]);
  seen?.push(stream);
  return (
    <p>
      {room} {stream.status}: {stream.value.join()}
    </p>
  );
}

/** The last thing that `open` gave, as text; `again` by a click. */
function Last({ open, deps = [] }: { open: OpenStream<{ readonly id: number }>; deps?: readonly unknown[] }) {
  const { status, value, error, again } = useStream(open, deps);
  return (
    <button type="button" onClick={again}>
      {status} {value?.id ?? "nothing"} {error === undefined ? "" : String(error)}
    </button>
  );
}

describe("a stream that a component follows", () => {
  test("is pending until its first message, then open with the last, then complete", async () => {
    const { chat } = start();
    await page.render(<Last open={(signal) => chat.subscribe({}, { signal })} />);
    expect(page.text).toBe("pending nothing ");
    await page.happens(() => served(0).send(1));
    expect(page.text).toBe("open 1 ");
    await page.happens(() => served(0).send(2));
    expect(page.text).toBe("open 2 ");
    await page.happens(() => served(0).end());
    expect(page.text).toBe("complete 2 ");
    expect(stage.server.streams).toHaveLength(1);
  });

  test("is one request, though StrictMode mounts everything twice", async () => {
    const { chat } = start();
    await page.render(
      <>
        <Room chat={chat} room="a" />
        <Room chat={chat} room="b" />
      </>,
    );
    expect(rooms()).toEqual(["a", "b"]);
    expect(stage.server.live).toBe(2);
    await page.happens(() => served(0).send(1));
    await page.happens(() => served(1).send(2));
    expect(page.text).toBe("a open: 1b open: 2");
  });

  test("gathers its messages by a reducer, from a start value", async () => {
    const { chat } = start();
    await page.render(<Room chat={chat} />);
    expect(page.text).toBe("lobby pending: ");
    await page.happens(() => {
      for (const id of [1, 2, 3]) served(0).send(id);
    });
    expect(page.text).toBe("lobby open: 1,2,3");
  });

  test("is canceled when the component goes, and not before", async () => {
    const { chat } = start();
    await page.render(<Room chat={chat} />);
    await page.render(<Room chat={chat} />);
    expect(stage.server.live).toBe(1);
    await page.render(null);
    expect(stage.server.live).toBe(0);
    expect(stage.server.streams).toHaveLength(1);
  });

  test("stays open across an outage: the same value goes on, and the request comes from the session", async () => {
    const { session, chat } = start({
      methods: [method(ChatService.method.subscribe, { resume: (request, { id }) => ({ ...request, afterId: id }) })],
    });
    await page.render(<Room chat={chat} />);
    await page.happens(() => served(0).send(1));
    await page.happens(() => served(0).end(down()));
    expect(session.state.status).toBe("waiting");
    expect(page.text).toBe("lobby open: 1");
    await page.happens(() => stage.clock.advance(750));
    expect(served(1).request).toMatchObject({ afterId: 1 });
    await page.happens(() => served(1).send(2));
    expect(page.text).toBe("lobby open: 1,2");
    expect(stage.server.streams).toHaveLength(2);
  });

  test("renders a hundred messages that come in one piece once, not a hundred times", async () => {
    const { chat } = start();
    (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = false; // act() would gather by itself
    const container = document.createElement("main");
    const root = createRoot(container);
    const seen: Following<readonly number[]>[] = [];
    root.render(<Room chat={chat} seen={seen} />);
    await vi.waitFor(() => expect(stage.server.streams).toHaveLength(1), patience);
    seen.length = 0;
    for (let id = 1; id <= 100; id++) served(0).send(id);
    await vi.waitFor(() => expect(container.textContent).toContain(",100"), patience);
    expect(seen.map(({ value }) => value.length)).toEqual([100]);
    root.unmount();
    await vi.waitFor(() => expect(stage.server.live).toBe(0), patience);
  });

  test("renders nothing for a message that the reducer leaves aside", async () => {
    const { chat } = start();
    let renders = 0;
    function Odd() {
      renders++;
      const { value, status } = useStream(
        (signal) => chat.subscribe({}, { signal }),
        [],
        (last, { id }: Message) => (id % 2 === 1 ? id : last),
        0,
      );
      return `${status} ${value}`;
    }
    await page.render(<Odd />);
    await page.happens(() => served(0).send(2));
    expect(page.text).toBe("open 0"); // it is open, at least
    renders = 0;
    await page.happens(() => served(0).send(4));
    expect(renders).toBe(0);
    await page.happens(() => served(0).send(5));
    expect(page.text).toBe("open 5");
  });

  test("takes the reducer of the last render for the next message", async () => {
    const { chat } = start();
    function Signed({ sign }: { sign: number }) {
      const { value } = useStream(
        (signal) => chat.subscribe({}, { signal }),
        [],
        (all, { id }: Message) => `${all} ${sign * id}`,
        "",
      );
      return value;
    }
    await page.render(<Signed sign={1} />);
    await page.happens(() => served(0).send(1));
    await page.render(<Signed sign={-1} />);
    await page.happens(() => served(0).send(2));
    expect(page.text).toBe(" 1 -2");
    expect(stage.server.streams).toHaveLength(1);
  });
});

describe("a stream that ends in the same moment as its last messages", () => {
  test.each([
    ["complete", undefined],
    ["failed", banned()],
  ])("is %s, and none of them is lost", async (status, error) => {
    const { chat } = start();
    await page.render(<Room chat={chat} />);
    await page.happens(() => {
      served(0).send(1);
      served(0).send(2);
      served(0).end(error);
    });
    expect(page.text).toBe(`lobby ${status}: 1,2`);
  });
});

describe("other deps", () => {
  test("cancel the stream and open another, from the start value", async () => {
    const { chat } = start();
    const seen: Following<readonly number[]>[] = [];
    await page.render(<Room chat={chat} room="a" />);
    await page.happens(() => served(0).send(1));
    await page.render(<Room chat={chat} room="b" seen={seen} />);
    expect(new Set(seen.map(({ status, value }) => `${status} ${value}`))).toEqual(new Set(["pending "]));
    expect(rooms()).toEqual(["a", "b"]);
    expect(served(0).over).toBe(true);
    expect(stage.server.live).toBe(1);
    await page.happens(() => served(1).send(2));
    expect(page.text).toBe("b open: 2");
  });

  test("cancel the old stream before the new one opens", async () => {
    const log: string[] = [];
    const open = (name: string) => (signal: AbortSignal) => {
      log.push(`open ${name}`);
      signal.addEventListener("abort", () => log.push(`cancel ${name}`));
      return never();
    };
    await page.render(<Last open={open("a")} deps={["a"]} />);
    await page.render(<Last open={open("b")} deps={["b"]} />);
    await page.leave();
    expect(log).toEqual(["open a", "cancel a", "open b", "cancel b"]);
  });

  test("are compared as React does: what is the same opens nothing", async () => {
    const { chat } = start();
    const same = {};
    const open = (signal: AbortSignal) => chat.subscribe({}, { signal });
    await page.render(<Last open={open} deps={[same, Number.NaN, "x"]} />);
    await page.render(<Last open={open} deps={[same, Number.NaN, "x"]} />);
    expect(stage.server.streams).toHaveLength(1);
    await page.render(<Last open={open} deps={[{}, Number.NaN, "x"]} />);
    expect(stage.server.streams).toHaveLength(2);
  });

  test("may be more or fewer than before", async () => {
    const { chat } = start();
    const open = (signal: AbortSignal) => chat.subscribe({}, { signal });
    await page.render(<Last open={open} deps={[1]} />);
    await page.render(<Last open={open} deps={[1, 2]} />);
    await page.render(<Last open={open} deps={[1]} />);
    expect(stage.server.streams).toHaveLength(3);
    expect(stage.server.live).toBe(1);
  });

  test.each([
    ["under StrictMode", StrictMode],
    ["without it", Fragment],
  ])("that are made anew for each render are refused, and do not become a loop of requests, %s", async (_, mode) => {
    const { chat } = start();
    vi.mocked(console.error).mockImplementation(() => {});
    function Careless() {
      const { status } = useStream((signal) => chat.subscribe({}, { signal }), [{ room: "lobby" }]);
      return status;
    }
    await page.render(
      <Boundary>
        <Careless />
      </Boundary>,
      mode,
    );
    await page.happens(() => stage.server.streams[0]?.send(1)); // where it is not refused at once
    expect(page.text).toMatch(/^Error: .*(Too many re-renders|#301)/);
    expect(stage.server.streams.length).toBeLessThanOrEqual(1);
    expect(stage.server.live).toBe(0);
    vi.mocked(console.error).mockClear();
  });

  test("show nothing of the stream before, however late it comes", async () => {
    const old = byHand();
    const fresh = byHand();
    await page.render(<Last open={old.open} deps={["old"]} />);
    await page.happens(() => old.send(1));
    await page.render(<Last open={fresh.open} deps={["new"]} />);
    await page.happens(() => old.send(2));
    expect(page.text).toBe("pending nothing ");
    await page.happens(() => fresh.send(3));
    await page.happens(() => old.fail(new Error("late")));
    expect(page.text).toBe("open 3 ");
    expect(old.left).toBe(true); // no more is read of it
  });
});

test("a stream that goes on when the component is gone disturbs nobody, whatever comes of it", async () => {
  const [talks, fails] = [byHand(), byHand()];
  await page.render(<Last open={talks.open} deps={[1]} />);
  await page.render(<Last open={fails.open} deps={[2]} />);
  await page.leave();
  await page.happens(() => talks.send(1));
  await page.happens(() => fails.fail(new Error("late")));
  expect(page.text).toBe("");
  expect(talks.left).toBe(true);
});

describe("a stream that fails", () => {
  test("by a verdict tells the Disconnect and the very error that Connect threw", async () => {
    const { chat } = start();
    const seen: Following<readonly number[]>[] = [];
    await page.render(<Room chat={chat} seen={seen} />);
    await page.happens(() => served(0).send(1));
    await page.happens(() => served(0).end(banned()));
    const last = seen.at(-1);
    expect(last).toMatchObject({ status: "failed", value: [1], disconnect: { reason: "banned", said: true } });
    expect(last?.error).toBe(last?.disconnect?.cause);
    expect(last?.error).toBeInstanceOf(ConnectError);
  });

  test("by an error of the application is no disconnect", async () => {
    const { chat } = start();
    const seen: Following<readonly number[]>[] = [];
    await page.render(<Room chat={chat} seen={seen} />);
    await page.happens(() => served(0).end(new ConnectError("no such room", Code.NotFound)));
    expect(seen.at(-1)).toMatchObject({ status: "failed", value: [], error: { code: Code.NotFound } });
    expect(seen.at(-1)?.disconnect).toBeUndefined();
  });

  test("because the session is closed says so", async () => {
    const { session, chat } = start();
    await page.render(<Room chat={chat} />);
    await page.happens(() => session.close());
    expect(page.text).toBe("lobby failed: ");
  });

  test.each([
    ["farewell's", () => start().chat],
    ["Connect's own", () => createConnectClient(ChatService, start().session)], // there, leaving the loop cancels nothing
  ])("by its own reducer is canceled, keeps its value, and is no disconnect, with %s client", async (_, connect) => {
    const chat = connect();
    const fault = down(); // it looks like a disconnect
    const seen: Following<number>[] = [];
    function Strict() {
      const stream = useStream(
        (signal) => chat.subscribe({}, { signal }),
        [],
        (sum: number, { id }: Message) => {
          if (id === 2) throw fault;
          return sum + id;
        },
        0,
      );
      seen.push(stream);
      return null;
    }
    await page.render(<Strict />);
    await page.happens(() => {
      for (const id of [1, 2, 3]) served(0).send(id);
    });
    expect(seen.at(-1)).toMatchObject({ status: "failed", value: 1, error: fault, disconnect: undefined });
    expect(stage.server.live).toBe(0);
  });

  test("by its own reducer does not wait until the stream lets go", async () => {
    let taken = 0;
    const open = (): AsyncIterable<number> => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: taken++ }),
        return: () => new Promise(() => {}),
      }),
    });
    function Strict() {
      const { status } = useStream(
        open,
        [],
        (): number => {
          throw new Error("no");
        },
        0,
      );
      return status;
    }
    await page.render(<Strict />);
    expect(page.text).toBe("failed");
    expect(taken).toBe(1);
  });

  test("to open at all has failed, too", async () => {
    await page.render(
      <Last
        open={() => {
          throw new Error("not signed in");
        }}
      />,
    );
    expect(page.text).toBe("failed nothing Error: not signed in");
    await page.render(<Last open={(() => undefined) as never} deps={[2]} />);
    expect(page.text).toBe("failed nothing TypeError: open: expected an AsyncIterable to be returned, got undefined");
  });

  test("stays so after restart(), until again() opens it anew", async () => {
    const { session, chat } = start();
    await page.render(<Last open={(signal) => chat.subscribe({}, { signal })} />);
    await page.happens(() => served(0).send(1));
    await page.happens(() => served(0).end(banned()));
    expect(page.text).toMatch(/^failed 1 ConnectError/);
    await page.happens(() => session.restart());
    expect(page.text).toMatch(/^failed 1 ConnectError/);
    expect(stage.server.streams).toHaveLength(1);
    await page.happens(() => page.button.click());
    expect(page.text).toBe("pending nothing ");
    await page.happens(() => served(1).send(2));
    expect(page.text).toBe("open 2 ");
  });

  test("fails again at again() while the verdict stands, without a request", async () => {
    const { chat } = start();
    await page.render(<Last open={(signal) => chat.subscribe({}, { signal })} />);
    await page.happens(() => served(0).end(banned()));
    await page.happens(() => page.button.click());
    expect(page.text).toMatch(/^failed nothing ConnectError/);
    expect(stage.server.streams).toHaveLength(1);
  });
});

describe("again()", () => {
  test("cancels a stream that is open and opens another, from the start value, by the latest open", async () => {
    const { chat } = start();
    const open = (room: string) => (signal: AbortSignal) => chat.subscribe({ room }, { signal });
    await page.render(<Last open={open("a")} />);
    await page.render(<Last open={open("b")} />); // the deps are the same
    await page.happens(() => served(0).send(1));
    await page.happens(() => page.button.click());
    expect(page.text).toBe("pending nothing ");
    expect(rooms()).toEqual(["a", "b"]);
    expect(stage.server.live).toBe(1);
  });

  test("shows nothing of the stream before", async () => {
    const hand = byHand();
    const streams = [hand, byHand()];
    let next = 0;
    await page.render(<Last open={(signal) => streams[next++]?.open(signal) ?? never()} />);
    await page.happens(() => page.button.click());
    await page.happens(() => hand.send(1));
    expect(page.text).toBe("pending nothing ");
    await page.happens(() => streams[1]?.send(2));
    expect(page.text).toBe("open 2 ");
  });

  test("is the same function in each render, whatever the stream does", async () => {
    const { chat } = start();
    const seen: Following<readonly number[]>[] = [];
    await page.render(<Room chat={chat} seen={seen} />);
    seen.splice(0, seen.length - 1); // React 18 throws away what StrictMode renders first
    await page.happens(() => served(0).send(1));
    await page.happens(() => served(0).end());
    expect(seen.at(-1)?.status).toBe("complete");
    expect(new Set(seen.map(({ again }) => again)).size).toBe(1);
  });

  test("does nothing once the component is gone", async () => {
    const { chat } = start();
    const seen: Following<readonly number[]>[] = [];
    await page.render(<Room chat={chat} seen={seen} />);
    await page.leave();
    await page.happens(() => seen.at(-1)?.again());
    expect(stage.server.streams).toHaveLength(1);
  });
});

describe("a component that suspends", () => {
  test("before it is mounted opens nothing; then it opens one stream", async () => {
    const { chat } = start();
    const gate = createGate();
    const tree = (
      <Suspense fallback="loading">
        <Room chat={chat} />
        <Waits for={gate} />
      </Suspense>
    );
    await page.render(tree);
    expect(page.text).toBe("loading");
    expect(stage.server.streams).toHaveLength(0);
    await page.happens(() => gate.open());
    expect(page.text).toBe("lobby pending: in");
    expect(stage.server.streams).toHaveLength(1);
  });

  test("and is given up before it is mounted leaves nothing behind", async () => {
    const { chat } = start();
    await page.render(
      <Suspense fallback="loading">
        <Room chat={chat} />
        <Waits for={createGate()} />
      </Suspense>,
    );
    await page.render("gone");
    expect(stage.server.streams).toHaveLength(0);
  });

  test("after it was mounted keeps its stream behind the fallback", async () => {
    const { chat } = start();
    const gate = createGate();
    const tree = (more: ReactNode) => (
      <Suspense fallback="loading">
        <Room chat={chat} />
        {more}
      </Suspense>
    );
    await page.render(tree(null));
    await page.happens(() => served(0).send(1));
    await page.render(tree(<Waits for={gate} />));
    await page.happens(() => served(0).send(2));
    expect(stage.server.live).toBe(1);
    await page.happens(() => gate.open());
    expect(page.text).toBe("lobby open: 1,2in");
    expect(stage.server.streams).toHaveLength(1);
  });

  test("on its way to other deps keeps the stream that is shown until it is there", async () => {
    const { chat } = start();
    const gate = createGate();
    let go: (room: string) => void = () => {};
    function Rooms() {
      const [room, setRoom] = useState("a");
      go = setRoom;
      return (
        <Suspense fallback="loading">
          <Room chat={chat} room={room} />
          {room === "b" && <Waits for={gate} />}
        </Suspense>
      );
    }
    await page.render(<Rooms />);
    await page.happens(() => startTransition(() => go("b")));
    expect(rooms()).toEqual(["a"]);
    await page.happens(() => served(0).send(1));
    expect(page.text).toBe("a open: 1");
    await page.happens(() => gate.open());
    expect(page.text).toBe("b pending: in");
    expect(rooms()).toEqual(["a", "b"]);
    expect(stage.server.live).toBe(1);
  });

  test.skipIf(!("Activity" in react))("lets go of its stream while it is hidden, and opens it anew", async () => {
    const { Activity } = react;
    const { chat } = start();
    const tree = (mode: "visible" | "hidden") => (
      <Activity mode={mode}>
        <Room chat={chat} />
      </Activity>
    );
    await page.render(tree("visible"));
    await page.happens(() => served(0).send(1));
    await page.render(tree("hidden"));
    expect(stage.server.live).toBe(0);
    await page.render(tree("visible"));
    expect(page.text).toBe("lobby pending: ");
    expect(stage.server.streams).toHaveLength(2);
    await page.happens(() => served(1).send(1));
    expect(page.text).toBe("lobby open: 1");
  });
});

describe("on a server", () => {
  test("a stream is pending with its start value, and nothing is opened", async () => {
    const { chat } = start();
    const open = vi.fn((signal: AbortSignal) => chat.subscribe({}, { signal }));
    expect(renderToString(<Last open={open} />)).toContain("pending");
    expect(renderToString(<Room chat={chat} />)).toContain("pending");
    await stage.clock.settle();
    expect(open).not.toHaveBeenCalled();
    expect(stage.server.streams).toHaveLength(0);
  });

  test("what was rendered is hydrated without a mismatch, and opens one stream", async () => {
    const { chat } = start();
    await page.hydrate(renderToString(<StrictMode>{<Room chat={chat} />}</StrictMode>), <Room chat={chat} />);
    expect(page.text).toBe("lobby pending: ");
    expect(stage.server.streams).toHaveLength(1);
    await page.happens(() => served(0).send(1));
    expect(page.text).toBe("lobby open: 1");
  });
});

test.each([
  ["open", [undefined, []], "open: expected a function, got undefined"],
  ["deps", [never, undefined], "deps: expected an array, got undefined"],
  ["reduce", [never, [], 1, 0], "reduce: expected a function, got 1"],
])("a wrong %s is refused by name", (_, wrong, message) => {
  function Wrong() {
    (useStream as (...args: readonly unknown[]) => unknown)(...wrong);
    return null;
  }
  expect(() => renderToString(<Wrong />)).toThrow(new TypeError(message));
});

/** A stream that heeds no signal: the test says what comes, and when. */
function byHand() {
  const waiting: { resolve(result: IteratorResult<{ id: number }>): void; reject(error: unknown): void }[] = [];
  const hand = {
    left: false,
    open: (_signal: AbortSignal): AsyncIterable<{ readonly id: number }> => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise((resolve, reject) => void waiting.push({ resolve, reject })),
        return: async () => {
          hand.left = true;
          return { done: true, value: undefined };
        },
      }),
    }),
    send: (id: number) => waiting.shift()?.resolve({ done: false, value: { id } }),
    fail: (error: unknown) => waiting.shift()?.reject(error),
  };
  return hand;
}

function never(): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) };
}

/** What components wait for, in the way of React 18 and 19: by a promise that they throw. */
function createGate() {
  let opened = false;
  let open = () => {};
  const opening = new Promise<void>((resolve) => {
    open = () => {
      opened = true;
      resolve();
    };
  });
  return { open, read: () => (opened ? undefined : opening) };
}

function Waits({ for: gate }: { for: ReturnType<typeof createGate> }) {
  const opening = gate.read();
  if (opening) throw opening;
  return "in";
}

class Boundary extends Component<{ children: ReactNode }> {
  override state: { readonly error: unknown } = { error: undefined };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    return this.state.error === undefined ? this.props.children : String(this.state.error);
  }
}
