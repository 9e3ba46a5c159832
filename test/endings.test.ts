import type { ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { type ConnectionState, classify } from "../src/index.js";
import { endings, errorOf } from "./recorded-endings.js";

describe("every recorded ending gets its expected reason", () => {
  test.each(endings)("$id: $client, $protocol, $when: $did", (recorded) => {
    const connection = (recorded.connectionState ?? undefined) as ConnectionState | undefined;
    const error = errorOf(recorded);
    const disconnect = classify({ error, connection });
    expect(recorded.expected).toContain(disconnect?.reason ?? null);
    if (disconnect) expect(disconnect.cause).toBe(error);
  });

  test("an empty RetryInfo, as a decoder that knows only types would give it, changes nothing", () => {
    for (const recorded of endings.filter(({ error }) => error.detailTypes.length > 0)) {
      const error = errorOf(recorded) as ConnectError;
      error.details = recorded.error.detailTypes.map((type) => ({ type, value: new Uint8Array() }));
      expect(recorded.expected).toContain(classify({ error })?.reason ?? null);
    }
  });
});
