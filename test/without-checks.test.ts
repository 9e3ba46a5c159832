import { Code, ConnectError, createRouterTransport, type Transport } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import { pageEnvironment, tabMemory } from "../src/browser/index.js";
import {
  createClient,
  createSession,
  method,
  parsePolicies,
  type RetryOptions,
  retried,
  type SessionOptions,
} from "../src/index.js";
import { createFakeClock, type FakeClock } from "../src/testing/index.js";

// A production bundle for a browser has no checks. A wrong number must do no harm then: never more probes than the
// default rate limit allows.

vi.mock("#check", () => import("../src/check/production.js"));

const wrong = [Number.NaN, -1, 0, Infinity, "5", "soon", null, {}];
const forMs = 300_000;
const allowed = 1 + 5 + forMs / 12_000; // the first attempt, the burst, and what is refilled
const tooMany = 1_000; // from here on nothing is answered, so that a hot loop ends

/** A clock whose timers take what is no number for 1 ms, as those of browsers and Node do. */
function createClock(): FakeClock {
  const clock = createFakeClock();
  return { ...clock, sleep: (ms, signal) => clock.sleep(ms >= 1 ? Number(ms) : 1, signal) };
}

interface Attempts {
  readonly transport: Transport;
  probes: number;
}

/** `fails`: at once. `hangs`: no answer. `is silent`: opens, and says nothing. */
function serverThat(does: "fails" | "hangs" | "is silent"): Attempts {
  const inner = createRouterTransport((router) => {
    router.rpc(ChatService.method.subscribe, async function* () {
      await new Promise(() => {});
      yield {};
    });
  });
  const attempts: Attempts = {
    probes: 0,
    transport: {
      ...inner,
      stream: (...call) => {
        if (++attempts.probes > tooMany || does === "hangs") return new Promise(() => {});
        if (does === "fails") return Promise.reject(new ConnectError("no", Code.Unavailable));
        return inner.stream(...call);
      },
    },
  };
  return attempts;
}

/** How many attempts there are in five minutes. */
async function probesIn(server: Attempts, options: object): Promise<number> {
  const clock = createClock();
  const session = createSession(server.transport, {
    clock,
    reportError: () => {},
    ...options,
  } as SessionOptions);
  const chat = createClient(ChatService, session);
  const read = async () => {
    for await (const _ of chat.subscribe({}));
  };
  const end = read().catch(() => {});
  await clock.advance(forMs);
  session.close();
  await end;
  return server.probes;
}

/** How often a call that always fails is sent in the same time. */
async function callsIn(options: RetryOptions): Promise<number> {
  const clock = createClock();
  const attempts: Attempts = { transport: createRouterTransport(() => {}), probes: 0 };
  const unary = async () => {
    if (++attempts.probes > tooMany) await new Promise(() => {});
    throw new ConnectError("no", Code.Unavailable);
  };
  const methods = [retried(ChatService.method.say, options)];
  const session = createSession({ ...attempts.transport, unary }, { clock, reportError: () => {}, methods });
  const end = createClient(ChatService, session)
    .say({})
    .catch(() => {});
  await clock.advance(forMs);
  session.close();
  await end;
  return attempts.probes;
}

const policyNumbers = ["initialMs", "maxMs", "factor", "maxServerMs", "maxAttempts"] as const;

describe.each(wrong.map((value) => [value]))("without checks, %o", (value) => {
  test.each([
    ["rateLimit", { rateLimit: value }],
    ["rateLimit.burst", { rateLimit: { burst: value, perMs: 60_000 } }],
    ["rateLimit.perMs", { rateLimit: { burst: 5, perMs: value } }],
    ["healthyAfterMs", { healthyAfterMs: value }],
    ["headersTimeoutMs", { headersTimeoutMs: value }],
    ["noticeTtlMs", { noticeTtlMs: value }],
    ...policyNumbers.map((name) => [`policies.network.${name}`, { policies: { network: { [name]: value } } }] as const),
    ["policies.network", { policies: { network: value } }],
    [
      "afterMs of a policy function",
      { policies: { network: () => ({ action: "reconnect", afterMs: value, why: "" }) } },
    ],
    ["the answer of a policy function", { policies: { network: () => value } }],
    ...policyNumbers.map(
      (name) =>
        [
          `policies.network.${name}, with decorrelated jitter`,
          { policies: { network: { jitter: "decorrelated", [name]: value } } },
        ] as const,
    ),
  ] as const)("as %s makes no more probes than the default rate limit allows", async (_, options) => {
    expect(await probesIn(serverThat("fails"), options)).toBeLessThanOrEqual(allowed);
    expect(await probesIn(serverThat("hangs"), options)).toBeLessThanOrEqual(allowed);
    expect(await probesIn(serverThat("is silent"), options)).toBeLessThanOrEqual(allowed);
  });

  test("as idleTimeoutMs makes no more probes than the default rate limit allows", async () => {
    const entry = method(ChatService.method.subscribe, { idleTimeoutMs: value as number });
    expect(await probesIn(serverThat("is silent"), { methods: [entry] })).toBeLessThanOrEqual(allowed);
  });

  test("as maxAttempts of a retried call makes no more attempts than the default rate limit allows", async () => {
    expect(await callsIn({ maxAttempts: value as number })).toBeLessThanOrEqual(allowed);
  });

  test.each(["hiddenAfterMs", "asleepAfterMs"])("as %s of a page does no harm either", async (name) => {
    vi.stubGlobal("addEventListener", () => {});
    const page = { extensions: [pageEnvironment({ [name]: value })] };
    expect(await probesIn(serverThat("fails"), page)).toBeLessThanOrEqual(allowed);
    expect(await probesIn(serverThat("is silent"), page)).toBeLessThanOrEqual(allowed);
    vi.unstubAllGlobals();
  });

  test.each(["coolDownMs", "rememberMs"])("as %s of a memory does no harm either", async (name) => {
    const memory = { extensions: [tabMemory({ account: "a", [name]: value })] };
    expect(await probesIn(serverThat("fails"), memory)).toBeLessThanOrEqual(allowed);
  });
});

describe("without checks", () => {
  const notNumbers = [Number.NaN, -1, -Infinity, Infinity, "soon"];

  test.each(policyNumbers.flatMap((name) => notNumbers.map((value) => [name, value] as const)))(
    "and without a rate limit, %s of %s is no hot loop",
    async (name, value) => {
      const options = { rateLimit: false, policies: { network: { [name]: value } } };
      expect(await probesIn(serverThat("fails"), options)).toBeLessThanOrEqual(allowed);
    },
  );

  test("a wrong wait is a long one, not the last", async () => {
    const options = { policies: { network: { initialMs: Number.NaN } } };
    expect(await probesIn(serverThat("fails"), options)).toBeGreaterThan(forMs / 60_000);
  });

  test.each([{}, { maxMs: 5_000 }, null, 7, "edn"])("%j does not bring back who was banned", async (banned) => {
    const server = serverThat("fails");
    const stream = async () => {
      server.probes++;
      throw new ConnectError("out", Code.PermissionDenied, { "farewell-reason": "banned" });
    };
    const attempts: Attempts = Object.assign(server, { transport: { ...server.transport, stream } });
    expect(await probesIn(attempts, { policies: { banned } })).toBe(1);
  });

  test("policies from JSON are checked all the same", () => {
    expect(() => parsePolicies({ network: { initialMs: "5" } })).toThrow(
      'policies.network.initialMs: expected a number of at least 1, got "5"',
    );
  });

  test("a notice with an unknown reason is refused all the same", () => {
    const session = createSession(serverThat("fails").transport);
    expect(() => session.notice({ reason: "parked" } as never)).toThrow(new TypeError("notice.reason"));
  });
});
