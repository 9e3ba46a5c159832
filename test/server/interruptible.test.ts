import { describe, expect, test } from "vitest";
import { type Interruptible, interruptible } from "../../src/server/inside/interruptible.js";

const bye = new Error("bye");

/** A source whose answers the test gives one by one. */
function createSource() {
  const asked: { resolve(result: IteratorResult<number>): void; reject(error: unknown): void }[] = [];
  const returned: unknown[] = [];
  const iterable: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise((resolve, reject) => asked.push({ resolve, reject })),
      return: async (value?: unknown) => {
        returned.push(value);
        return { done: true, value: undefined };
      },
    }),
  };
  return { asked, returned, iterable };
}

function read() {
  const source = createSource();
  const late: unknown[] = [];
  let ends = 0;
  const subject: Interruptible<number> = interruptible(
    source.iterable,
    () => ends++,
    (error) => late.push(error),
  );
  return { source, late, subject, reader: subject.iterable[Symbol.asyncIterator](), ends: () => ends };
}

describe("an interruptible source", () => {
  test("passes messages and a clean end on", async () => {
    const { source, reader, ends, late } = read();
    const first = reader.next();
    source.asked[0]?.resolve({ done: false, value: 1 });
    expect(await first).toEqual({ done: false, value: 1 });
    expect(ends()).toBe(0);
    const second = reader.next();
    source.asked[1]?.resolve({ done: true, value: undefined });
    expect(await second).toEqual({ done: true, value: undefined });
    expect([ends(), late]).toEqual([1, []]);
  });

  test("passes the source's own error on", async () => {
    const { source, reader, ends, late } = read();
    const first = reader.next();
    const own = new Error("own");
    source.asked[0]?.reject(own);
    await expect(first).rejects.toBe(own);
    expect([ends(), late]).toEqual([1, []]);
  });

  test("gives a reader who waits the error at once, however stuck the source is", async () => {
    const { reader, subject, ends } = read();
    const first = reader.next();
    subject.interrupt(bye);
    await expect(first).rejects.toBe(bye);
    expect(ends()).toBe(1);
  });

  test("gives a reader who does not read the error when it reads on, and counts as ended only then", async () => {
    const { source, reader, subject, ends } = read();
    subject.interrupt(bye);
    expect(ends()).toBe(0);
    await expect(reader.next()).rejects.toBe(bye);
    await expect(reader.next()).rejects.toBe(bye);
    expect(ends()).toBeGreaterThan(0);
    expect(source.asked).toHaveLength(0); // the source is not asked any more
  });

  test("delivers what the source had given before, and then the error", async () => {
    const { source, reader, subject } = read();
    const first = reader.next();
    source.asked[0]?.resolve({ done: false, value: 1 });
    await first;
    subject.interrupt(bye);
    await expect(reader.next()).rejects.toBe(bye);
  });

  test("lets only the first interruption count", async () => {
    const { reader, subject } = read();
    subject.interrupt(bye);
    subject.interrupt(new Error("second"));
    await expect(reader.next()).rejects.toBe(bye);
  });

  test("reports what the source throws afterwards, and nothing is left unhandled", async () => {
    const { source, reader, subject, late } = read();
    const first = reader.next();
    subject.interrupt(bye);
    await expect(first).rejects.toBe(bye);
    source.asked[0]?.reject("too late");
    await new Promise(setImmediate);
    expect(late).toEqual(["too late"]);
  });

  test("does not care for what the source still gives afterwards", async () => {
    const { source, reader, subject, late } = read();
    const first = reader.next();
    subject.interrupt(bye);
    source.asked[0]?.resolve({ done: false, value: 1 });
    await expect(first).rejects.toBe(bye);
    expect(late).toEqual([]);
  });

  test("passes a reader's own end on to the source", async () => {
    const { source, reader, ends } = read();
    expect(await reader.return?.("enough")).toEqual({ done: true, value: undefined });
    expect(source.returned).toEqual(["enough"]);
    expect(ends()).toBe(1);
  });

  test("counts as ended even if the source's own end hangs", () => {
    let ends = 0;
    const stuck = { [Symbol.asyncIterator]: () => ({ next: forever, return: forever }) };
    const { iterable } = interruptible<number>(
      stuck as unknown as AsyncIterable<number>,
      () => ends++,
      () => {},
    );
    void iterable[Symbol.asyncIterator]().return?.();
    expect(ends).toBe(1);
  });

  test("lets a reader throw into a source that takes it, and into one that does not", async () => {
    const simple = read();
    await expect(simple.reader.throw?.(bye)).rejects.toBe(bye);
    expect(simple.ends()).toBe(1);
    const thrown: unknown[] = [];
    async function* generator() {
      try {
        yield 1;
      } catch (error) {
        thrown.push(error);
      }
    }
    const { iterable } = interruptible(
      generator(),
      () => {},
      () => {},
    );
    const reader = iterable[Symbol.asyncIterator]();
    await reader.next();
    expect(await reader.throw?.(bye)).toEqual({ done: true, value: undefined });
    expect(thrown).toEqual([bye]);
  });
});

const forever = () => new Promise<never>(() => {});
