import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ConnectTransportOptions, Http2SessionOptions } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import type { BrowserOptions } from "../../src/browser/index.js";
import { vocabulary } from "../../src/disconnect/reasons.js";
import { errorDomain, mirror } from "../../src/disconnect/wire.js";
import {
  type BuiltInReason,
  builtInReasons,
  defaultPolicies,
  type Outcome,
  parsePolicies,
  type RetryOptions,
  type ServerStreamOptions,
  type SessionEvents,
  type SessionOptions,
  type SessionState,
  type Source,
} from "../../src/index.js";
import type { Http2TransportOptions } from "../../src/node/index.js";
import type { BouncerOptions, Report, Store, VerdictOptions } from "../../src/server/index.js";
import { blocks, column, root, table } from "./pages.js";

describe("the reasons", () => {
  test.each([
    ["README.md", "what happened"],
    ["docs/guide/reasons.md", "what happened"],
    ["PROTOCOL.md", "when to send it"],
  ])("are all in %s, in order", (page, second) => {
    expect(column(table(page, "reason", second))).toEqual([...builtInReasons]);
  });

  test("have their sources listed", () => {
    const sources: { readonly [S in Source]: true } = {
      detail: true,
      trailer: true,
      notice: true,
      status: true,
      http: true,
      transport: true,
      liveness: true,
      local: true,
      unknown: true,
    };
    const listed = column(table("docs/guide/reasons.md", "source", "what was read"));
    expect(listed).toEqual(Object.keys(sources).map((source) => JSON.stringify(source)));
  });
});

describe("the policies", () => {
  const page = "docs/guide/policies.md";

  test("have their defaults listed", () => {
    const [header = [], ...rows] = table(page, "reason", "initialMs");
    const told = rows.map(([reason = "", ...cells]) => {
      const values = cells.map((cell) =>
        cell === "" ? undefined : JSON.parse(cell.replaceAll(/(?<=\d),(?=\d)/g, "")),
      );
      const policy = Object.fromEntries(values.map((value, index) => [header[index + 1], value]));
      return [reason, values[0] === "end" ? "end" : policy];
    });
    expect(Object.fromEntries(told)).toEqual(defaultPolicies);
    expect(column(table(page, "field", "meaning", "initialMs"))).toEqual(header.slice(1));
  });

  test("of the examples are accepted by parsePolicies", () => {
    const policies = blocks.filter(({ page: from, language }) => from === page && language === "json");
    expect(policies.length).toBeGreaterThan(0);
    for (const { code } of policies) expect(() => parsePolicies(JSON.parse(code))).not.toThrow();
  });
});

describe("the options", () => {
  const page = "docs/reference/README.md";

  test("of a session are all listed", () => {
    const options: { readonly [O in keyof SessionOptions]-?: true } = {
      policies: true,
      methods: true,
      rateLimit: true,
      refresh: true,
      refreshTimeoutMs: true,
      expiresAt: true,
      healthyAfterMs: true,
      headersTimeoutMs: true,
      noticeTtlMs: true,
      reasons: true,
      abortedMeans: true,
      httpStatusMeans: true,
      connection: true,
      extensions: true,
      clock: true,
      reportError: true,
    };
    expect(column(table(page, "option", "default", "policies"))).toEqual(Object.keys(options));
  });

  test("of a method are all listed", () => {
    const options: { readonly [O in keyof ServerStreamOptions<never, never>]-?: true } = {
      resume: true,
      position: true,
      run: true,
      restart: true,
      finite: true,
      endless: true,
      idleTimeoutMs: true,
    };
    expect(column(table(page, "option", "default", "resume"))).toEqual(Object.keys(options));
  });

  test("of a retried call are all listed", () => {
    const options: { readonly [O in keyof RetryOptions]-?: true } = { maxAttempts: true };
    expect(column(table(page, "option", "default", "maxAttempts"))).toEqual(Object.keys(options));
  });

  test("of the browser are all listed", () => {
    const options: { readonly [O in keyof BrowserOptions]-?: true } = {
      account: true,
      coolDownMs: true,
      rememberMs: true,
      hiddenAfterMs: true,
      asleepAfterMs: true,
      reportError: true,
    };
    expect(column(table("docs/guide/browser.md", "option", "default", "account"))).toEqual(Object.keys(options));
  });

  test("of the transport for Node are all listed, beside those of connect-node's", () => {
    type Own = Exclude<keyof Http2TransportOptions, keyof ConnectTransportOptions> | keyof Http2SessionOptions;
    const options: { readonly [O in Own | "baseUrl" | "protocol" | "httpVersion"]: true } = {
      baseUrl: true,
      protocol: true,
      httpVersion: true,
      connectTimeoutMs: true,
      pingIntervalMs: true,
      pingTimeoutMs: true,
      pingIdleConnection: true,
      idleConnectionTimeoutMs: true,
      maxConnections: true,
      clock: true,
    };
    expect(column(table("docs/guide/node.md", "option", "default", "baseUrl"))).toEqual(Object.keys(options));
  });

  test("of the bouncer are all listed", () => {
    const options: { readonly [O in keyof BouncerOptions]-?: true } = {
      identify: true,
      identifyTimeoutMs: true,
      store: true,
      logger: true,
      forceAfterMs: true,
      rememberMs: true,
      releaseWithinMs: true,
      limit: true,
      logins: true,
      rateLimits: true,
      addressOf: true,
      admission: true,
      clockSkewMs: true,
      heartbeatMs: true,
      clock: true,
      reportError: true,
    };
    expect(column(table(page, "option", "default", "identify"))).toEqual(Object.keys(options));
  });

  test("of a verdict are all listed", () => {
    const options: { readonly [O in keyof VerdictOptions]-?: true } = {
      mode: true,
      forceAfterMs: true,
      dryRun: true,
      limit: true,
      details: true,
      by: true,
      note: true,
    };
    const listed = column(table("docs/guide/server/putting-out.md", "option", "default", "mode"));
    expect(listed.flatMap((cell) => cell.split(", "))).toEqual(Object.keys(options));
  });
});

describe("the events", () => {
  const page = "docs/guide/events.md";

  test("are all listed, with their payloads", () => {
    const payloads: {
      readonly [E in Exclude<keyof SessionEvents, BuiltInReason>]: readonly (keyof SessionEvents[E])[];
    } = {
      connected: ["stream"],
      disconnected: ["disconnect", "stream"],
      reconnecting: ["disconnect", "attempt", "afterMs", "why"],
      refreshFailed: ["error", "attempt", "afterMs"],
      paused: ["why"],
      reconnected: ["downMs", "attempts", "gap"],
      ended: ["disconnect", "why"],
      state: ["status"],
      notice: ["announced", "at"],
      streamOpened: ["stream"],
      streamLost: ["stream", "disconnect"],
      streamReopened: ["stream", "gap"],
      streamGap: ["stream", "missed", "reset"],
      streamEnded: ["stream", "outcome", "disconnect", "error", "why"],
    };
    const rows = table(page, "event", "when").slice(1);
    const told = rows.map(([event = "", , payload = ""]) => [event, payload.split(", ")] as const);
    expect(Object.fromEntries(told.filter(([event]) => event in payloads))).toEqual(payloads);
    expect(rows.length).toBe(Object.keys(payloads).length + 1); // all reasons share one row
  });

  test.each([page, "docs/guide/troubleshooting.md"])("have every state in %s", (from) => {
    const states: { readonly [S in SessionState["status"]]: true } = {
      idle: true,
      connecting: true,
      healthy: true,
      waiting: true,
      probing: true,
      recovering: true,
      refreshing: true,
      paused: true,
      ended: true,
      closed: true,
    };
    const second = from === page ? "meaning" : "why it does not come back";
    const listed = column(table(from, "status", second));
    expect([...listed].sort()).toEqual(Object.keys(states).sort());
  });

  test.each([page, "docs/guide/troubleshooting.md"])("have every outcome in %s", (from) => {
    const outcomes: { readonly [O in Outcome]: true } = { complete: true, canceled: true, stopped: true, failed: true };
    const second = from === page ? "what happened" : "why the stream was not reopened";
    const listed = column(table(from, "outcome", second)).map((outcome) => JSON.parse(outcome));
    expect(listed.sort()).toEqual(Object.keys(outcomes).sort());
  });
});

describe("the server", () => {
  test("has the counts of a report explained", () => {
    const counts: { readonly [C in Exclude<keyof Report, "verdict" | "streams">]: true } = {
      matched: true,
      told: true,
      forced: true,
      left: true,
      failed: true,
    };
    const listed = column(table("docs/guide/server/putting-out.md", "count", "streams that"));
    expect(listed).toEqual(Object.keys(counts));
  });

  test("has every method of a store explained", () => {
    const methods: { readonly [M in keyof Store]: true } = {
      record: true,
      restrict: true,
      restrictions: true,
      consume: true,
      lift: true,
      epoch: true,
      login: true,
      logout: true,
      take: true,
      subscribe: true,
    };
    const listed = column(table("docs/guide/server/stores.md", "method", "does"));
    expect(listed.map((call) => call.split("(")[0])).toEqual(Object.keys(methods));
  });
});

describe("the protocol", () => {
  test("gives the status codes", () => {
    const rows = table("PROTOCOL.md", "reason", "status").slice(1);
    const codes = Object.entries(vocabulary).map(([reason, { status }]) => [reason, status]);
    expect(rows.map(([reason, status = ""]) => [reason, Number.parseInt(status, 10)])).toEqual(codes);
  });

  test("names our metadata, the domain and the reasons", () => {
    expect(column(table("PROTOCOL.md", "key", "value"))).toEqual(Object.values(mirror));
    const [, domain, reason] = table("PROTOCOL.md", "field", "value");
    expect(domain).toEqual(["domain", errorDomain]);
    expect(reason?.[1]?.match(/[A-Z]{2,}/g)).toEqual(builtInReasons.map((name) => name.toUpperCase()));
  });

  test("quotes the proto file as it is", () => {
    const quoted = blocks.find(({ page, language }) => page === "PROTOCOL.md" && language === "proto")?.code;
    const source = readFileSync(join(root, "proto/farewell/v1/disconnect.proto"), "utf8");
    expect(statements(quoted ?? "")).toEqual(statements(source));
  });
});

function statements(proto: string): readonly string[] {
  const lines = proto.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("//"));
}
