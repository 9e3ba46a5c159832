import { expect, test, vi } from "vitest";
import { classify } from "../src/index.js";
import { endings, errorOf } from "./recorded-endings.js";

// A browser's bundle does without what tells Node's errors apart.

vi.mock("#transport-errors", () => import("../src/disconnect/no-node-errors.js"));

const inBrowsers = endings.filter(({ client }) => client === "connect-web/chromium");

test("there are some", () => {
  expect(inBrowsers.length).toBeGreaterThan(30);
});

test.each(inBrowsers)("$id: $protocol, $when: $did gets its expected reason in a browser", (recorded) => {
  expect(recorded.expected).toContain(classify({ error: errorOf(recorded) })?.reason ?? null);
});

test("what only Node can see is not told apart", () => {
  const error = Object.assign(new Error("self-signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  expect(classify({ error: new TypeError("fetch failed", { cause: error }) })?.reason).toBe("network");
});
