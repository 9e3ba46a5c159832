import { expect, test } from "vitest";
import { guarded, lastResort } from "../src/ports/guarded.js";

const own = new Error("own");
const callbacks = {
  throws: () => {
    throw own;
  },
  rejects: () => Promise.reject(own),
  "is async and throws later": async () => {
    await null;
    throw own;
  },
  "answers with what fails when it is awaited": () => ({
    // biome-ignore lint/suspicious/noThenProperty: that is what is tried
    get then() {
      throw own;
    },
  }),
};

test.each(Object.entries(callbacks))("of a callback that %s, the failure is told once", async (_, callback) => {
  const failures: unknown[] = [];
  await guarded(callback, (error) => failures.push(error));
  expect(failures).toEqual([own]);
});

test("what a callback throws at once is told at once", () => {
  const failures: unknown[] = [];
  void guarded(callbacks.throws, (error) => failures.push(error));
  expect(failures).toEqual([own]);
});

test.each(Object.entries(callbacks))(
  "a last resort that %s is asked once for each error, and harms nobody",
  async (_, fails) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => void unhandled.push(error);
    process.on("unhandledRejection", note);
    const told: unknown[] = [];
    const report = lastResort((error) => {
      told.push(error);
      return fails();
    });
    report("first");
    report("second");
    await new Promise((resolve) => setTimeout(resolve));
    process.off("unhandledRejection", note);
    expect(told).toEqual(["first", "second"]);
    expect(unhandled).toEqual([]);
  },
);
