import { hostname, userInfo } from "node:os";
import { parseArgs } from "node:util";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Client, createClient } from "@connectrpc/connect";
import { nodeTransport } from "farewell/node";
import { AdminService } from "farewell/server";
import { outcomeLine, streamTable } from "./admin-output.js";

export const usage = `Usage: admin <command> [--url http://127.0.0.1:8080] [--token letmein]

  list [selector]                    who is inside: all, or such as user=ann, tag=guest, session=…, stream=…
  kick <user>                        puts a user out
       [--code afk] [--message …]    what the client is told
       [--abort]                     says nothing, and resets the streams
       [--dry-run]                   only counts
  ban <user> [--minutes 5]           puts a user out and keeps it out, by default for good
       [--message …]
  unban <user>                       lets a user in again
  revoke <user>                      makes all tokens of a user invalid
  drain [--over 10]                  puts all out over so many seconds, and ends the server
       [--back-after 30]             when clients are to come back, in seconds
       [--message …]`;

/** The command makes no sense. Nothing was sent. */
export class UsageError extends Error {}

const options = {
  url: { type: "string", default: process.env.CHAT_URL ?? "http://127.0.0.1:8080" },
  token: { type: "string", default: process.env.ADMIN_TOKEN ?? "letmein" },
  code: { type: "string" },
  message: { type: "string" },
  abort: { type: "boolean" },
  "dry-run": { type: "boolean" },
  minutes: { type: "string" },
  over: { type: "string" },
  "back-after": { type: "string" },
} as const;

type Values = ReturnType<typeof parse>["values"];

interface Command {
  readonly takes: "user" | "selector" | "nothing";
  readonly allows: readonly (keyof typeof options)[];
  run(admin: Client<typeof AdminService>, target: string, values: Values): Promise<void>;
}

const commands: { readonly [name: string]: Command } = {
  list: {
    takes: "selector",
    allows: [],
    async run(admin, target) {
      const streams = [];
      let pageToken = "";
      do {
        const page = await admin.list({ selector: selectorOf(target), pageToken });
        streams.push(...page.streams);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      console.log(streamTable(streams));
    },
  },
  kick: {
    takes: "user",
    allows: ["code", "message", "abort", "dry-run"],
    async run(admin, user, { code, message, abort, "dry-run": dryRun }) {
      const words = given({ code, message });
      const { outcome } = await admin.kick({ selector: { user }, ...words, options: given({ abort, dryRun }) });
      console.log(outcomeLine(`${dryRun ? "would kick" : "kicked"} ${user}`, outcome));
    },
  },
  ban: {
    takes: "user",
    allows: ["minutes", "message"],
    async run(admin, user, { minutes, message }) {
      const ms = numberOf("minutes", minutes, 60_000);
      const until = ms === undefined ? undefined : new Date(Date.now() + ms);
      const words = given({ until: until && timestampFromDate(until), message });
      const { outcome } = await admin.ban({ selector: { user }, ...words });
      console.log(outcomeLine(`banned ${user} ${until ? `until ${until.toLocaleString()}` : "for good"}`, outcome));
    },
  },
  unban: {
    takes: "user",
    allows: [],
    async run(admin, user) {
      const { lifted } = await admin.lift({ selector: { user } });
      console.log(lifted ? `unbanned ${user}` : `${user} was not banned`);
    },
  },
  revoke: {
    takes: "user",
    allows: [],
    async run(admin, user) {
      const { outcome, epoch } = await admin.revoke({ user });
      console.log(outcomeLine(`revoked the tokens of ${user} before epoch ${epoch}`, outcome));
    },
  },
  drain: {
    takes: "nothing",
    allows: ["over", "back-after", "message"],
    async run(admin, _, { over, "back-after": backAfter, message }) {
      const request = given({
        over: durationOf("over", over),
        backAfter: durationOf("back-after", backAfter),
        message,
      });
      for await (const { total, inside, outcome, done } of admin.drain(request)) {
        console.log(outcomeLine(done ? "drained" : `${inside} of ${total} inside`, outcome));
      }
    },
  },
};

/**
 * Does what the command line says, and prints what has come of it.
 *
 * @throws UsageError before anything is sent; ConnectError if the server refuses
 */
export async function run(argv: readonly string[]): Promise<void> {
  const { positionals, values } = parse(argv);
  const [name, target, ...rest] = positionals;
  if (name === undefined) throw new UsageError("a command is missing");
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw new UsageError(`${name}: no such command`);
  if (command.takes === "user" && target === undefined) throw new UsageError(`${name}: a user is missing`);
  const [extra] = command.takes === "nothing" ? positionals.slice(1) : rest;
  if (extra !== undefined) throw new UsageError(`${name}: unexpected ${JSON.stringify(extra)}`);
  for (const option of Object.keys(values) as (keyof typeof options)[]) {
    if (option !== "url" && option !== "token" && !command.allows.includes(option)) {
      throw new UsageError(`${name}: knows no --${option}`);
    }
  }
  await command.run(connect(values), target ?? "all", values);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** A plain client: what an admin does is done once, and not again because a connection was lost. */
function connect({ url, token }: Values): Client<typeof AdminService> {
  if (!URL.canParse(url)) throw new UsageError(`--url: expected a URL, got ${JSON.stringify(url)}`);
  const transport = nodeTransport({
    baseUrl: url,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        request.header.set("admin-name", `${userInfo().username}@${hostname()}`);
        return next(request);
      },
    ],
  });
  return createClient(AdminService, transport);
}

const fields = ["user", "tag", "session", "stream"];

function selectorOf(target: string) {
  if (target === "all") return { all: true };
  const [, field = "", value = ""] = /^(\w+)=(.+)$/.exec(target) ?? [];
  if (fields.includes(field)) return { [field]: value };
  throw new UsageError(`list: expected all, or ${fields.join("=…, ")}=…, got ${JSON.stringify(target)}`);
}

function durationOf(option: string, seconds: string | undefined) {
  const ms = numberOf(option, seconds, 1_000);
  return ms === undefined ? undefined : durationFromMs(ms);
}

/** A number of some unit, in ms. */
function numberOf(option: string, text: string | undefined, unitMs: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() === "" || !(number >= 0 && number <= 1_000_000)) {
    throw new UsageError(`--${option}: expected a number from 0 to 1000000, got ${JSON.stringify(text)}`);
  }
  return Math.round(number * unitMs);
}

/** Without what was not given: a field that is absent has its default. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
