import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { build } from "esbuild";
import { afterEach, describe, expect, test } from "vitest";
import { ChatService } from "../examples/gen/chat/v1/chat_pb.js";
import packageJson from "../package.json" with { type: "json" };
import type { BrowserOptions } from "../src/browser/index.js";
import { vocabulary } from "../src/disconnect/reasons.js";
import { errorDomain, mirror } from "../src/disconnect/wire.js";
import {
  type BuiltInReason,
  builtInReasons,
  defaultPolicies,
  parsePolicies,
  type SessionEvents,
  type SessionOptions,
} from "../src/index.js";
import { type BouncerOptions, toConnectError } from "../src/server/index.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = ["README.md", "PROTOCOL.md", "CHANGELOG.md"] as const;
const text = Object.fromEntries(pages.map((page) => [page, readFileSync(join(root, page), "utf8")])) as {
  readonly [P in (typeof pages)[number]]: string;
};

interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

const blocks: readonly Block[] = pages.flatMap((page) =>
  [...text[page].matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(({ index, 1: language = "", 2: code = "" }) => ({
    page,
    line: text[page].slice(0, index).split("\n").length + 1,
    language,
    code,
  })),
);
const snippets = blocks.filter(({ language }) => language === "ts" || language === "tsx");

const folders: string[] = [];

afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

/** The folder of an app that speaks to the chat service and has installed what we have. */
async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "farewell-docs-"));
  folders.push(folder);
  await symlink(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  await symlink(join(root, "examples/gen"), join(folder, "gen"), "junction");
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  return folder;
}

function run(file: string, args: readonly string[], cwd: string): Promise<{ out: string; error: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], { cwd, timeout: 15_000 }, (_, out, error) => resolve({ out, error }));
  });
}

/** What the snippets take for granted: a session, a client and an app around them. */
const prelude = `
  import type { Transport } from "@connectrpc/connect";
  import type * as farewell from "farewell";
  import type { ConnectRouter } from "@connectrpc/connect";
  import type { FarewellClient, Session } from "farewell";
  import type { Bouncer } from "farewell/server";
  import type { ChatService as Service, Message } from "./gen/chat/v1/chat_pb.js";
  declare global {
    const createClient: typeof farewell.createClient;
    const createSession: typeof farewell.createSession;
    const baseUrl: string;
    const transport: Transport;
    const user: { readonly id: string };
    const ChatService: typeof Service;
    const session: Session;
    const chat: FarewellClient<typeof Service>;
    const auth: {
      readonly token: string;
      renew(signal: AbortSignal): Promise<boolean>;
      signIn(): Promise<void>;
      verify(token: string | null): Promise<{ sub: string; sid: string; epoch: number } | undefined>;
    };
    const bouncer: Bouncer;
    const routes: (router: ConnectRouter) => ConnectRouter;
    function adminOf(header: Headers): string | false;
    function render(message: Message): void;
    function showDialog(text: string): void;
    function showBanner(text: string): void;
    function hideBanner(): void;
    function showBan(until: Date | undefined): void;
    function store(message: Message): Promise<void>;
    function count(name: string, labels: { readonly [label: string]: string }): void;
    function record(name: string, value: number, labels: { readonly [label: string]: string | number }): void;
    function findBan(user: string | null): Promise<{ readonly until?: Date; readonly text: string } | undefined>;
    function messagesOf(room: string, signal: AbortSignal): AsyncIterable<{ readonly id: number; readonly text: string }>;
  }
`;

/** Type-checks snippets together, as modules of an app that has installed the package. */
async function typeErrors(checked: readonly Block[]): Promise<string> {
  const folder = await makeFolder();
  const files = checked.map(({ page, line, language }) => `${page}.line-${line}.${language}`);
  await Promise.all([
    writeFile(join(folder, "prelude.d.ts"), prelude),
    ...checked.map(({ code }, index) => writeFile(join(folder, files[index] ?? ""), `${code}\nexport {};\n`)),
    writeFile(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(root, "tsconfig.json"),
        compilerOptions: {
          noUnusedLocals: false,
          noUnusedParameters: false,
          typeRoots: [join(root, "node_modules/@types")],
          paths: {
            farewell: [join(root, "src/index.ts")],
            "farewell/admin": [join(root, "src/admin/index.ts")],
            "farewell/browser": [join(root, "src/browser/index.ts")],
            "farewell/control-stream": [join(root, "src/control-stream/index.ts")],
            "farewell/react": [join(root, "src/react/index.ts")],
            "farewell/server": [join(root, "src/server/index.ts")],
            "farewell/testing": [join(root, "src/testing/index.ts")],
          },
        },
        include: [],
        files: ["prelude.d.ts", ...files],
      }),
    ),
  ]);
  const { out, error } = await run(join(root, "node_modules/typescript/bin/tsc"), ["-p", "."], folder);
  return out + error;
}

describe("the snippets", () => {
  const augments = ({ code }: Block) => code.includes("declare module");

  test("compile, those that declare no reasons of their own", async () => {
    expect(snippets.length).toBeGreaterThan(10);
    expect(await typeErrors(snippets.filter((block) => !augments(block)))).toBe("");
  });

  test("compile, each that declares reasons of its own", async () => {
    for (const block of snippets.filter(augments)) expect(await typeErrors([block])).toBe("");
  });

  test("are checked: a wrong one does not compile", async () => {
    const wrong = { page: "none", line: 1, language: "ts", code: "session.onKicked(({ until }) => showBan(until));" };
    expect(await typeErrors([wrong])).toContain("Property 'until' does not exist");
  });

  test("of policies are accepted by parsePolicies", () => {
    const policies = blocks.filter(({ language }) => language === "json");
    expect(policies.length).toBeGreaterThan(0);
    for (const { code } of policies) expect(() => parsePolicies(JSON.parse(code))).not.toThrow();
  });

  test("begin with an example that runs", async () => {
    const server = createServer(
      connectNodeAdapter({
        routes: (router) =>
          router.service(ChatService, {
            async *subscribe({ room }) {
              yield { id: 1, text: `welcome to the ${room}` };
              throw toConnectError({ reason: "kicked", message: "Idle for 10 minutes" });
            },
          }),
      }),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const { code = "" } = snippets[0] ?? {};
      expect(code.trim().split("\n").length).toBeLessThanOrEqual(12);
      const folder = await makeFolder();
      await writeFile(join(folder, "app.ts"), code.replace("http://localhost:8080", `http://127.0.0.1:${port}`));
      await build({
        absWorkingDir: folder,
        entryPoints: ["app.ts"],
        outfile: "app.mjs",
        bundle: true,
        format: "esm",
        platform: "node",
        logLevel: "error",
        alias: { farewell: join(root, "src/index.ts") },
      });
      const { out, error } = await run("app.mjs", [], folder);
      expect(out).toBe("welcome to the lobby\nput out: Idle for 10 minutes\n");
      expect(error).toContain("ConnectError: [permission_denied] Idle for 10 minutes");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe("the links", () => {
  test.each(pages)("of %s lead somewhere", (page) => {
    const targets = [...text[page].matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(({ 1: target = "" }) => target);
    const broken = targets.filter((target) => {
      const [path, anchor] = target.split("#");
      const file = join(root, path || page);
      return !existsSync(file) || (anchor !== undefined && !anchorsOf(readFileSync(file, "utf8")).includes(anchor));
    });
    expect(broken).toEqual([]);
  });
});

describe("the commands", () => {
  test("name npm scripts that exist", () => {
    const commands = [...text["README.md"].matchAll(/npm (?:run ([\w:-]+)|(test))/g)];
    const scripts = new Set(commands.map(([, run, test]) => run ?? test ?? ""));
    expect(scripts).toContain("test");
    expect(Object.keys(packageJson.scripts)).toEqual(expect.arrayContaining([...scripts]));
  });

  test("install by hand what are peer dependencies", () => {
    const command = /npm i (farewell .*)/.exec(text["README.md"])?.[1];
    const optional = Object.keys(packageJson.peerDependenciesMeta);
    const peers = Object.keys(packageJson.peerDependencies).filter((name) => !optional.includes(name));
    expect(command?.split(" ").sort()).toEqual(["farewell", ...peers].sort());
  });
});

describe("the tables", () => {
  test.each(["README.md", "PROTOCOL.md"] as const)("of %s list every reason, in order", (page) => {
    expect(column(table(page, "reason", "what happened") ?? table(page, "reason", "when to send it"))).toEqual([
      ...builtInReasons,
    ]);
  });

  test("of the README give the default policies", () => {
    const [header = [], ...rows] = table("README.md", "reason", "initialMs") ?? [];
    const told = rows.map(([reason = "", ...cells]) => {
      const values = cells.map((cell) => (cell === "" ? undefined : JSON.parse(cell.replaceAll(",", ""))));
      const policy = Object.fromEntries(values.map((value, index) => [header[index + 1], value]));
      return [reason, values[0] === "end" ? "end" : policy];
    });
    expect(Object.fromEntries(told)).toEqual(defaultPolicies);
    expect(column(table("README.md", "field", "meaning", "initialMs"))).toEqual(header.slice(1));
  });

  test("of the README list every option", () => {
    const options: { readonly [O in keyof SessionOptions]-?: true } = {
      policies: true,
      methods: true,
      rateLimit: true,
      refresh: true,
      healthyAfterMs: true,
      headersTimeoutMs: true,
      noticeTtlMs: true,
      reasons: true,
      abortedMeans: true,
      connection: true,
      extensions: true,
      clock: true,
      reportError: true,
    };
    expect(column(table("README.md", "option", "default", "policies"))).toEqual(Object.keys(options));
  });

  test("of the README list every option of the browser", () => {
    const options: { readonly [O in keyof BrowserOptions]-?: true } = {
      account: true,
      coolDownMs: true,
      rememberMs: true,
      hiddenAfterMs: true,
      asleepAfterMs: true,
      reportError: true,
    };
    expect(column(table("README.md", "option", "default", "account"))).toEqual(Object.keys(options));
  });

  test("of the README list every option of the bouncer", () => {
    const options: { readonly [O in keyof BouncerOptions]-?: true } = {
      identify: true,
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
    expect(column(table("README.md", "option", "default", "identify"))).toEqual(Object.keys(options));
  });

  test("of the README list every event with its payload", () => {
    const payloads: {
      readonly [E in Exclude<keyof SessionEvents, BuiltInReason>]: readonly (keyof SessionEvents[E])[];
    } = {
      connected: ["stream"],
      disconnected: ["disconnect", "stream"],
      reconnecting: ["disconnect", "attempt", "afterMs", "why"],
      paused: ["why"],
      reconnected: ["downMs", "attempts", "gap"],
      ended: ["disconnect", "why"],
      state: ["status"],
      notice: ["announced", "at"],
      streamOpened: ["stream"],
      streamLost: ["stream", "disconnect"],
      streamReopened: ["stream", "gap"],
      streamGap: ["stream", "missed"],
      streamEnded: ["stream", "outcome", "disconnect", "error", "why"],
    };
    const rows = (table("README.md", "event", "when") ?? []).slice(1);
    const told = rows.map(([event = "", , payload = ""]) => [event, payload.split(", ")] as const);
    expect(Object.fromEntries(told.filter(([event]) => event in payloads))).toEqual(payloads);
    expect(rows.length).toBe(Object.keys(payloads).length + 1); // all reasons share one row
  });

  test("of PROTOCOL.md give the status codes", () => {
    const rows = (table("PROTOCOL.md", "reason", "status") ?? []).slice(1);
    const codes = Object.entries(vocabulary).map(([reason, { status }]) => [reason, status]);
    expect(rows.map(([reason, status = ""]) => [reason, Number.parseInt(status, 10)])).toEqual(codes);
  });

  test("of PROTOCOL.md name our metadata, the domain and the reasons", () => {
    expect(column(table("PROTOCOL.md", "key", "value"))).toEqual(Object.values(mirror));
    const [, domain, reason] = table("PROTOCOL.md", "field", "value") ?? [];
    expect(domain).toEqual(["domain", errorDomain]);
    expect(reason?.[1]?.match(/[A-Z]{2,}/g)).toEqual(builtInReasons.map((name) => name.toUpperCase()));
  });
});

test("PROTOCOL.md quotes the proto file as it is", () => {
  const quoted = blocks.find(({ language }) => language === "proto")?.code;
  const source = readFileSync(join(root, "proto/farewell/v1/disconnect.proto"), "utf8");
  expect(statements(quoted ?? "")).toEqual(statements(source));
});

function statements(proto: string): readonly string[] {
  const lines = proto.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("//"));
}

/** The table whose first columns, and first row if given, begin like this. Cells come without their code marks. */
function table(page: keyof typeof text, first: string, second: string, row = ""): readonly string[][] | undefined {
  const found = [...text[page].matchAll(/(?:^\|.*\|\n)+/gm)].map(
    ([lines]) =>
      lines
        .trim()
        .split("\n")
        .map((line) => line.slice(1, -1).split("|"))
        .map((cells) => cells.map((cell) => cell.trim().replaceAll("`", "")))
        .filter((_, index) => index !== 1), // the ruler
  );
  return found.find(([header, top]) => header?.[0] === first && header[1] === second && top?.[0]?.startsWith(row));
}

/** The first column without its header. */
function column(rows: readonly string[][] | undefined): readonly string[] {
  return (rows ?? []).slice(1).map(([name = ""]) => name);
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): readonly string[] {
  return [...page.matchAll(/^#+ (.*)$/gm)].map(({ 1: heading = "" }) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
