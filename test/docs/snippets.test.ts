import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { build } from "esbuild";
import { afterEach, describe, expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { toConnectError } from "../../src/server/index.js";
import { type Block, blocks, root } from "./pages.js";

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
    execFile(process.execPath, [file, ...args], { cwd, timeout: 120_000 }, (_, out, error) => resolve({ out, error }));
  });
}

/** What the snippets take for granted: a session, a client and an app around them. */
const prelude = `
  import type { GenService } from "@bufbuild/protobuf/codegenv2";
  import type { Transport } from "@connectrpc/connect";
  import type * as farewell from "farewell";
  import type { ConnectRouter } from "@connectrpc/connect";
  import type { FarewellClient, Session } from "farewell";
  import type { Bouncer } from "farewell/server";
  import type { ChatService as Service, Message, SayRequestSchema, SayResponseSchema } from "./gen/chat/v1/chat_pb.js";
  declare global {
    const createClient: typeof farewell.createClient;
    const createSession: typeof farewell.createSession;
    const baseUrl: string;
    const transport: Transport;
    const user: { readonly id: string };
    const ChatService: typeof Service;
    const AuthService: GenService<{
      renew: { methodKind: "unary"; input: typeof SayRequestSchema; output: typeof SayResponseSchema };
    }>;
    const session: Session;
    const chat: FarewellClient<typeof Service>;
    const auth: {
      readonly token: string;
      readonly expiresAt: Date | undefined;
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
  const files = checked.map(({ page, line, language }) => `${page.replaceAll("/", ".")}.line-${line}.${language}`);
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

  test("of the README begin with an example that runs", async () => {
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
      const { code = "" } = snippets.find(({ page }) => page === "README.md") ?? {};
      expect(code.trim().split("\n").length).toBeLessThanOrEqual(14);
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
        tsconfig: join(root, "tsconfig.json"), // for the package by its name
      });
      const { out, error } = await run("app.mjs", [], folder);
      expect(out).toBe("welcome to the lobby\nkicked: Idle for 10 minutes\n");
      expect(error).toBe("");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
