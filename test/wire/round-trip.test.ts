import { Code, ConnectError, createClient, type ServiceImpl } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { type BuiltInReason, builtInReasons, classify, type DisconnectInit } from "../../src/index.js";
import { toConnectError } from "../../src/server/index.js";
import { runsOf, someOf } from "../runs.js";
import { type ChatServer, startChatServer } from "./chat-server.js";
import { type Client, type ClientName, clients, fetchThatAborts, type Link, linkTo } from "./clients.js";
import { leaveNothing } from "./leave-nothing.js";

type Goodbye = DisconnectInit<BuiltInReason>;

// What a server says with toConnectError is what a client hears.

leaveNothing();
const names = Object.keys(clients) as ClientName[];
const variants: readonly { name: string; client: Client; connectTo: (baseUrl: string) => Link }[] = [
  ...names.map((name) => ({
    name,
    client: clients[name],
    connectTo: (baseUrl: string) => linkTo(baseUrl, clients[name]),
  })),
  {
    name: "fetch h1 connect, in JSON", // how connect-web is, if not told otherwise
    client: clients["fetch h1 connect"],
    connectTo: (baseUrl) => ({
      transport: createConnectTransport({ baseUrl, fetch: fetchThatAborts }),
      connection: () => undefined,
    }),
  },
];
const now = Date.UTC(2030, 0, 1);
let refusal: unknown;

/** Where the error is thrown: each is written down differently. */
const calls = {
  "at the door": (link) => all(client(link).subscribe({})),
  "mid-stream": (link) => all(client(link).subscribe({ room: "open" })),
  "by a unary call": (link) => client(link).say({}),
  "by an upload": (link) => client(link).upload(each({ text: "one" })),
  "in a talk": (link) => all(client(link).talk(each({ room: "open" }))),
} as const satisfies { readonly [where: string]: (link: Link) => Promise<unknown> };

describe.each(variants)("to $name, a goodbye", ({ name, client: { library, httpVersion }, connectTo }) => {
  let server: ChatServer;
  let link: Link;

  beforeAll(async () => {
    server = await startChatServer(httpVersion, refusing);
    return () => server.close();
  });
  beforeEach(() => {
    link = connectTo(server.url); // each test its own: Node ends a connection after 1,000 canceled calls
  });

  // fetch cannot send a stream; HTTP/1.1 cannot send both ways at once.
  const places = (Object.keys(calls) as (keyof typeof calls)[]).filter(
    (where) =>
      (where !== "by an upload" || library === "connect-node") && (where !== "in a talk" || httpVersion === "2"),
  );

  describe.each(places)("%s", (where) => {
    const nth = variants.findIndex((variant) => variant.name === name) + places.indexOf(where);

    async function heard(error: ConnectError) {
      refusal = error;
      const caught = await calls[where](link).then(
        () => undefined,
        (error: unknown) => error,
      );
      return { caught, disconnect: classify({ error: caught }, { now }) };
    }

    test.each(builtInReasons)("%s arrives as it was said, with any of its fields", async (reason) => {
      const ofReason = goodbyes.filter((goodbye) => goodbye.reason === reason);
      for (const goodbye of someOf(ofReason, nth)) {
        const { caught, disconnect } = await heard(toConnectError(goodbye, now));
        expect(disconnect).toEqual({ ...complete(goodbye), said: true, source: "detail", cause: caught });
      }
    });

    test("arrives as it was said, whatever is said", async () => {
      await fc.assert(
        fc.asyncProperty(anyGoodbye, async (goodbye) => {
          const { caught, disconnect } = await heard(toConnectError(goodbye, now));
          expect(disconnect).toEqual({ ...complete(goodbye), said: true, source: "detail", cause: caught });
        }),
        { numRuns: runsOf(20) },
      );
    });

    test.each([
      ["the typed detail", "detail", only("farewell.v1.Disconnect")],
      ["ErrorInfo and RetryInfo", "detail", only("google.rpc.ErrorInfo", "google.rpc.RetryInfo")],
      ["the metadata mirror", "trailer", only()],
    ] as const)("arrives with its fields by %s alone", async (_, source, part) => {
      const told = goodbyes.filter(({ message, localized }) => message !== "" && !localized);
      for (const goodbye of someOf(told, nth)) {
        const { caught, disconnect } = await heard(part(toConnectError(goodbye, now)));
        expect(disconnect).toEqual({ ...complete(goodbye), said: true, source, cause: caught });
      }
    });

    test("is cut to size before it can be too long for a trailer", async () => {
      const long = "ä€😀\n".repeat(10_000);
      const goodbye = { reason: "banned", message: long, code: long, until: new Date(0) } as const;
      const localized = { locale: "de-CH", message: long };
      const { disconnect } = await heard(toConnectError({ ...goodbye, localized }, now));
      expect(disconnect).toMatchObject({ reason: "banned", until: new Date(0), said: true, source: "detail" });
      for (const text of [disconnect?.message, disconnect?.localized?.message]) {
        expect(text).toMatch(/^(ä€😀\n){50,100}.{0,3}…$/u);
      }
    });
  });
});

const refusing: Partial<ServiceImpl<typeof ChatService>> = {
  async *subscribe({ room }) {
    if (room === "open") yield { id: 1 };
    throw refusal;
  },
  async *talk(requests) {
    for await (const { room } of requests) if (room === "open") yield { id: 1 };
    throw refusal;
  },
  upload: async (requests) => {
    for await (const _ of requests);
    throw refusal;
  },
  say: () => {
    throw refusal;
  },
};

/** Every reason with every combination of its fields, with and without texts. */
const texts = ["", "100 % – „Tschüss“ 👋\r\n\t2nd line, 100%25 %zz"];
const localizeds = [undefined, { locale: "de-CH", message: "Uf Widerluege 👋 100 %\n" }];
const codes = [undefined, "", "afk, äöü 100%"];
const untils = [undefined, new Date(Date.UTC(2031, 1, 3, 4, 5, 6, 789)), new Date(-1)];
const retries = [undefined, new Date(now), new Date(now + 90_061_001)];
const goodbyes: readonly Goodbye[] = texts.flatMap((message) =>
  localizeds.flatMap((localized) => {
    const said = { message, localized };
    return [
      ...codes.map((code) => ({ reason: "kicked", code, ...said }) as const),
      ...untils.flatMap((until) => codes.map((code) => ({ reason: "banned", until, code, ...said }) as const)),
      ...codes.map((by) => ({ reason: "superseded", by, ...said }) as const),
      ...retries.flatMap((retryAt) => [
        { reason: "maintenance", retryAt, ...said } as const,
        { reason: "throttled", retryAt, ...said } as const,
        { reason: "maintenance", retryAt, reserved: true, ...said } as const,
      ]),
      ...(["unauthenticated", "aborted", "network"] as const).map((reason) => ({ reason, ...said })),
    ];
  }),
);

const text = (maxLength: number) => fc.string({ unit: "binary", maxLength });
const anyLabel = fc.option(text(25), { nil: undefined });
const until = fc.date({
  min: new Date("0001-01-01T00:00:00Z"),
  max: new Date("9999-12-31T23:59:59.999Z"),
  noInvalidDate: true,
});
const retryAt = fc.date({ min: new Date(now), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });
const said = {
  message: text(250),
  localized: fc.option(fc.record({ locale: text(25), message: text(250) }), { nil: undefined }),
};
const anyGoodbye: fc.Arbitrary<Goodbye> = fc.oneof(
  fc.record({ reason: fc.constant("kicked" as const), code: anyLabel, ...said }),
  fc.record({
    reason: fc.constant("banned" as const),
    until: fc.option(until, { nil: undefined }),
    code: anyLabel,
    ...said,
  }),
  fc.record({ reason: fc.constant("superseded" as const), by: anyLabel, ...said }),
  fc.record({
    reason: fc.constantFrom("maintenance" as const, "throttled" as const),
    retryAt: fc.option(retryAt, { nil: undefined }),
    ...said,
  }),
  fc.record({ reason: fc.constantFrom("unauthenticated" as const, "aborted" as const, "network" as const), ...said }),
);

/** With the fields that were left out, and without control characters: in texts for people, lines and tabs are none. */
function complete({ message = "", localized, ...fields }: Goodbye): Goodbye {
  const labels = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "string" ? label(value) : value,
  ]);
  return {
    ...Object.fromEntries(labels),
    message: prose(message),
    localized: localized && { locale: label(localized.locale), message: prose(localized.message) },
  };
}

function label(given: string): string {
  return [...given].map((sign) => (isControl(sign) ? " " : sign)).join("");
}

function prose(given: string): string {
  return [...given].map((sign) => (isControl(sign) && !/[\r\n\t]/.test(sign) ? " " : sign)).join("");
}

function isControl(sign: string): boolean {
  const code = sign.codePointAt(0) ?? 0;
  return code < 32 || (code >= 127 && code < 160);
}

/** The error with these details only; with none, what is left is the mirror. Its code tells nothing. */
function only(...typeNames: string[]): (error: ConnectError) => ConnectError {
  return ({ rawMessage, metadata, details }) => {
    const kept = details.filter((detail) => "desc" in detail && typeNames.includes(detail.desc.typeName));
    const mirror = typeNames.length === 0 ? metadata : undefined;
    return new ConnectError(rawMessage, Code.FailedPrecondition, mirror, kept as never);
  };
}

function client({ transport }: Link) {
  return createClient(ChatService, transport);
}

async function all(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}

async function* each<T>(...messages: T[]): AsyncIterable<T> {
  yield* messages;
}
