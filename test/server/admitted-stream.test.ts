import { Code, ConnectError, type StreamRequest, type StreamResponse } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { type AdmittedStream, createAdmittedStream } from "../../src/server/inside/admitted-stream.js";
import { rawStreamOf } from "../../src/server/inside/raw-stream.js";
import { whoIs } from "../../src/server/who/identity.js";
import { createFakeStream, type FakeStream } from "./fake-stream.js";

const bye = new ConnectError("bye", Code.PermissionDenied);
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
type Handler = (request: StreamRequest) => Promise<unknown>;

/** A stream whose handler is the test's, with the client's abort in its hands. */
function createScene(below?: FakeStream) {
  const who = whoIs({ user: "ann" }, { header: new Headers() });
  const { user, session, device, tags } = who;
  const stream = {
    id: "x-1",
    user,
    session,
    device,
    tags,
    method: "a/b",
    controlStream: false,
    peer: undefined,
    since: new Date(0),
  };
  const late: unknown[] = [];
  const admitted = createAdmittedStream(stream, who, below && rawStreamOf(below.raw), (error) => late.push(error));
  const client = new AbortController();
  const input = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
  const request = { stream: true, signal: client.signal, message: input } as unknown as StreamRequest;
  return { admitted, late, client, run: (handler: Handler) => admitted.run(handler, request) };
}

const serving = (message: AsyncIterable<unknown>) => async () => ({ message }) as unknown as StreamResponse;

async function readerOf(response: Promise<StreamResponse>) {
  return ((await response).message as AsyncIterable<unknown>)[Symbol.asyncIterator]();
}

async function* endless(signal: AbortSignal, cleanedUp: () => void = () => {}) {
  try {
    yield 1;
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  } finally {
    cleanedUp();
  }
}

const isOver = ({ life }: AdmittedStream) => life.aborted;

test("a handler whose client is gone is not left in a `yield`, though nobody comes back to read", async () => {
  const below = createFakeStream();
  const { run, late, admitted } = createScene(below);
  let cleanedUp = 0;
  async function* failing() {
    try {
      yield 1;
    } finally {
      cleanedUp++;
      await Promise.reject(new Error("late")); // Connect would not tell of it either
    }
  }
  const reader = await readerOf(run(serving(failing())));
  expect(await reader.next()).toEqual({ done: false, value: 1 }); // whoever writes it waits for a `drain` that never comes
  expect(cleanedUp).toBe(0);
  below.vanish();
  await turn();
  expect([cleanedUp, late]).toEqual([1, []]);
  expect(await admitted.gone).toBe("left");
});

describe("a stream that is put out", () => {
  test("gets the goodbye as its handler's reason and its reader's error; the handler's `finally` runs", async () => {
    const { admitted, run, late } = createScene();
    let cleanedUp = false;
    let reason: unknown;
    const reader = await readerOf(
      run(async ({ signal }) => {
        signal.addEventListener("abort", () => (reason = signal.reason));
        return serving(endless(signal, () => (cleanedUp = true)))();
      }),
    );
    expect(await reader.next()).toEqual({ done: false, value: 1 });
    const next = reader.next();
    admitted.tell(bye);
    await expect(next).rejects.toBe(bye);
    await turn();
    expect([reason === bye, cleanedUp, admitted.goodbye === bye, late]).toEqual([true, true, true, []]);
    expect(await admitted.gone).toBe("told");
  });

  test("before its handler has answered, gets the goodbye instead of the answer", async () => {
    const { admitted, run } = createScene();
    const answer = run(() => new Promise(() => {}));
    admitted.tell(bye);
    await expect(answer).rejects.toBe(bye);
    expect(await admitted.gone).toBe("told");
  });

  test("before it was let in, does not reach its handler", async () => {
    const { admitted, run } = createScene();
    let reached = false;
    admitted.tell(bye);
    await expect(
      run(async () => {
        reached = true;
      }),
    ).rejects.toBe(bye);
    expect(reached).toBe(false);
  });

  test("in any moment around the one in which its handler answers, is put out all the same", async () => {
    for (let delay = 0; delay < 12; delay++) {
      const { admitted, run } = createScene();
      const response = run(async ({ signal }) => {
        void later(delay, () => admitted.tell(bye));
        return serving(endless(signal))();
      });
      const outcome = (async () => {
        const reader = await readerOf(response);
        for (;;) await reader.next();
      })();
      await expect(outcome).rejects.toBe(bye);
      expect(await admitted.gone).toBe("told");
    }
  });

  test("is put out once: the first goodbye stands", async () => {
    const { admitted, run } = createScene();
    const reader = await readerOf(run(({ signal }) => serving(endless(signal))()));
    admitted.tell(bye);
    admitted.tell(new ConnectError("second"));
    admitted.cut(new ConnectError("third"));
    await expect(reader.next()).rejects.toBe(bye);
    expect(admitted.goodbye).toBe(bye);
  });

  test("does not wait for a handler that ignores its signal", async () => {
    const { admitted, run } = createScene();
    const stuck = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
    const reader = await readerOf(run(serving(stuck)));
    const next = reader.next();
    admitted.tell(bye);
    await expect(next).rejects.toBe(bye);
    expect(await admitted.gone).toBe("told");
  });

  test("takes the handler's input away, too", async () => {
    const { admitted, run } = createScene();
    let heard: unknown;
    const answer = run(async ({ message }) => {
      const reader = (message as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      heard = await reader.next().catch((error: unknown) => error);
      throw heard;
    });
    admitted.tell(bye);
    await expect(answer).rejects.toBe(bye);
    await turn();
    expect(heard).toBe(bye);
  });

  test("reports a handler that fails afterwards, and not one that merely stops", async () => {
    const { admitted, run, late } = createScene();
    const reader = await readerOf(
      run(async ({ signal }) => serving(endless(signal, () => raise(new Error("in finally"))))()),
    );
    await reader.next();
    const next = reader.next();
    admitted.tell(bye);
    await expect(next).rejects.toBe(bye);
    await turn();
    expect(late.map(String)).toEqual(["Error: in finally"]);
    const polite = createScene();
    const second = await readerOf(
      polite.run(async ({ signal }) => serving(endless(signal, () => raise(signal.reason)))()),
    );
    await second.next();
    polite.admitted.tell(bye);
    await expect(second.next()).rejects.toBe(bye);
    await turn();
    expect(polite.late).toEqual([]);
  });
});

async function later(microtasks: number, then: () => void) {
  for (let left = microtasks; left > 0; left--) await undefined;
  then();
}

function raise(error: unknown): never {
  throw error;
}

describe("a stream without a raw one", () => {
  test("is gone when its end was read, and not before", async () => {
    const { admitted, run } = createScene();
    const reader = await readerOf(run(({ signal }) => serving(endless(signal))()));
    await reader.next();
    admitted.tell(bye);
    await turn();
    expect(isOver(admitted)).toBe(false); // the reader has not come back for more
    await expect(reader.next()).rejects.toBe(bye);
    expect(isOver(admitted)).toBe(true);
  });

  test("that ends by itself has left", async () => {
    const { admitted, run } = createScene();
    const reader = await readerOf(
      run(
        serving(
          (async function* () {
            yield 1;
          })(),
        ),
      ),
    );
    await reader.next();
    await reader.next();
    expect(await admitted.gone).toBe("left");
    admitted.tell(bye);
    expect(await admitted.gone).toBe("left");
  });

  test("whose handler fails has left, with the handler's own error", async () => {
    const { admitted, run, late } = createScene();
    const own = new ConnectError("own", Code.NotFound);
    await expect(run(() => Promise.reject(own))).rejects.toBe(own);
    expect(await admitted.gone).toBe("left");
    expect(late).toEqual([]);
  });

  test("that was not let in is gone", async () => {
    const { admitted } = createScene();
    admitted.refuse();
    expect(await admitted.gone).toBe("left");
  });

  test("whose client leaves aborts its handler with the client's reason", async () => {
    const { admitted, run, client } = createScene();
    let reason: unknown;
    const reader = await readerOf(
      run(async ({ signal }) => {
        signal.addEventListener("abort", () => (reason = signal.reason));
        return serving(endless(signal))();
      }),
    );
    client.abort("away");
    expect(reason).toBe("away");
    await reader.return?.();
    expect(await admitted.gone).toBe("left");
    expect(admitted.goodbye).toBeUndefined();
  });
});

describe("a stream on a raw one", () => {
  test("is gone when its raw stream is, and told only if all of it was handed over", async () => {
    for (const [end, ending] of [
      ["finish", "told"],
      ["vanish", "left"],
    ] as const) {
      const below = createFakeStream();
      const { admitted, run } = createScene(below);
      const reader = await readerOf(run(({ signal }) => serving(endless(signal))()));
      admitted.tell(bye);
      await expect(reader.next()).rejects.toBe(bye);
      await turn();
      expect(isOver(admitted)).toBe(false); // the error was read, but it is still on its way
      below[end]();
      expect(await admitted.gone).toBe(ending);
    }
  });

  test("that is cut was forced, unless it was told before", async () => {
    const below = createFakeStream();
    const { admitted } = createScene(below);
    admitted.cut(bye);
    expect(await admitted.gone).toBe("forced");
    expect(below.resets).toBe(1);
    admitted.cut(bye);
    expect(below.resets).toBe(1);
  });

  test("that is gone already is known to be", async () => {
    const below = createFakeStream();
    below.vanish();
    expect(await createScene(below).admitted.gone).toBe("left");
  });
});
