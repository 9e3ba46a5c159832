import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  type AdminService,
  type Authorize,
  adminService,
  createBouncer,
  memoryStore,
} from "../../../src/server/index.js";
import { collect } from "../../in-memory.js";
import { leaveNothing } from "../../wire/leave-nothing.js";
import { bearer, byToken, openOffice } from "./back-office.js";

// What the admin service does not do, and what it says instead.

const own = leaveNothing();

const ann = { selector: { user: "ann" } };
const negative = { seconds: -1n };
const forEver = { seconds: 1n << 60n };

type Admin = Awaited<ReturnType<typeof openOffice>>["admin"];

/** Each of the admin's calls: what it threw. */
const calls: { readonly [method: string]: (admin: Admin) => Promise<unknown> } = {
  List: (admin) => thrown(admin.list(ann)),
  Kick: (admin) => thrown(admin.kick(ann)),
  Ban: (admin) => thrown(admin.ban(ann)),
  Lift: (admin) => thrown(admin.lift(ann)),
  Revoke: (admin) => thrown(admin.revoke({ user: "ann" })),
  Drain: (admin) => thrown(admin.drain({})),
};

async function thrown(answer: Promise<unknown> | AsyncIterable<unknown>): Promise<unknown> {
  if (Symbol.asyncIterator in answer) return await collect(answer).end;
  return await answer.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe.each(["node h2 connect", "node h2 grpc"] as const)("to %s,", (name) => {
  test.each([
    ["no token", byToken, {}],
    ["another token", byToken, { authorization: "Bearer guest-token" }],
    ["a false from authorize", () => false as const, bearer],
    ["a nameless admin", () => "", bearer],
    ["a yes that is no name", (() => true) as unknown as Authorize, bearer],
    ["an authorize that throws", () => Promise.reject(new Error("directory down")), bearer],
  ])("%s is refused by every call, and nothing is done", async (_, authorize, headers) => {
    const { admin, bouncer, audit, lines, writes } = await openOffice(own, name, { authorize, headers });
    for (const [method, call] of Object.entries(calls)) {
      const error = ConnectError.from(await call(admin));
      expect([method, error.code, error.rawMessage]).toEqual([method, Code.PermissionDenied, "not authorized"]);
      expect(audit().at(-1)).toEqual({ event: "admin", method, peer: "127.0.0.1", outcome: "refused" });
    }
    expect([writes(), bouncer.count(), bouncer.stats().draining]).toEqual([0, 1, false]);
    expect(lines.filter(({ level }) => level === "error")).toHaveLength(
      `${authorize}`.includes("directory down") ? 6 : 0,
    );
  });

  test("a store that fails is no business of the caller's, and nothing is done", async () => {
    const fail = () => Promise.reject(new Error("connection to 10.0.0.7 lost"));
    const store = { ...memoryStore(), record: fail, lift: fail };
    const { admin, bouncer, audit, lines } = await openOffice(own, name, { store });
    const { List, ...others } = calls;
    for (const [method, call] of Object.entries(others)) {
      const error = ConnectError.from(await call(admin));
      const expected = [method, Code.Internal, "the store failed; nothing was done"];
      expect([method, error.code, error.rawMessage]).toEqual(expected);
      expect(audit().at(-1)).toMatchObject({ method, by: "root", outcome: error.rawMessage });
      expect(lines.at(-1)).toMatchObject({
        level: "error",
        fields: { err: { message: "connection to 10.0.0.7 lost" } },
      });
    }
    expect([bouncer.count(), bouncer.stats().draining]).toEqual([1, false]);
    expect(await List?.(admin)).toBeUndefined();
  });

  test.each<readonly [string, keyof typeof AdminService.method, object, RegExp]>([
    ["nobody", "list", {}, /^selector: /],
    ["an empty selector", "list", { selector: {} }, /^selector: /],
    ["an empty user", "list", { selector: { user: "" } }, /^selector\.user: /],
    ["a page that is too big", "list", { ...ann, pageSize: 1_001 }, /^page_size: /],
    ["a page token of somebody else's", "list", { ...ann, pageToken: "zzz" }, /^page_token: /],
    ["nobody", "kick", {}, /^selector: /],
    ["an empty selector", "kick", { selector: {} }, /^selector: /],
    ["an exception without a rule", "kick", { selector: { exceptSession: "s1" } }, /^selector: /],
    ["an empty exception", "kick", { selector: { all: true, exceptSession: "" } }, /^selector\.except\.session: /],
    ["a negative deadline", "kick", { ...ann, options: { forceAfter: negative } }, /^options\.force_after: /],
    ["an endless deadline", "kick", { ...ann, options: { forceAfter: forEver } }, /^options\.force_?after/i],
    ["nobody", "ban", {}, /^selector: /],
    ["everybody", "ban", { selector: { all: true } }, /^selector: /],
    ["two fields", "ban", { selector: { user: "ann", session: "s1" } }, /^selector: /],
    ["a stream", "ban", { selector: { stream: "x-1" } }, /^selector: /],
    ["an exception", "ban", { selector: { user: "ann", exceptSession: "s1" } }, /^selector: /],
    ["a time that is over", "ban", { ...ann, until: { seconds: 1n } }, /until: .*future/],
    ["a time that is none", "ban", { ...ann, until: { seconds: 1n << 60n } }, /until: /],
    ["a time after the year 9999", "ban", { ...ann, until: { seconds: 253_402_300_800n } }, /until: /],
    ["a negative deadline", "ban", { ...ann, options: { forceAfter: negative } }, /^options\.force_after: /],
    ["nobody", "lift", {}, /^selector: /],
    ["two fields", "lift", { selector: { user: "ann", tag: "vip" } }, /^selector: /],
    ["nobody", "revoke", {}, /user: /],
    ["a negative deadline", "revoke", { user: "ann", options: { forceAfter: negative } }, /^options\.force_after: /],
    ["a negative time", "drain", { over: { seconds: -1n } }, /^over: /],
    ["more than a day", "drain", { over: { seconds: 86_401n } }, /\bover/],
    ["a negative return", "drain", { backAfter: { seconds: -1n } }, /^back_after: /],
    ["a return at no time", "drain", { backAfter: { seconds: 1n << 50n } }, /\bback_?a/i],
    ["a return after the year 9999", "drain", { backAfter: { seconds: 600_000_000_000n } }, /\bback_?a/i],
  ])("%s is refused by %s with a word about the field, and nothing is done", async (_, method, request, message) => {
    const { admin, bouncer, writes, audit } = await openOffice(own, name);
    const call = admin[method] as (request: object) => Promise<unknown> | AsyncIterable<unknown>;
    const error = ConnectError.from(await thrown(call(request)));
    expect([error.rawMessage, error.code]).toEqual([expect.stringMatching(message), Code.InvalidArgument]);
    expect([writes(), bouncer.count(), bouncer.stats().draining]).toEqual([0, 1, false]);
    expect(audit()).toMatchObject([{ by: "root", outcome: error.rawMessage }]);
  });

  test.each(["kick", "ban", "revoke"] as const)("more streams than the limit are refused by %s", async (method) => {
    const { admin, bouncer, writes, audit } = await openOffice(own, name, { users: ["ann", "ann"] });
    const options = { limit: 1 };
    const call = method === "revoke" ? admin.revoke({ user: "ann", options }) : admin[method]({ ...ann, options });
    const error = ConnectError.from(await thrown(call));
    expect([error.code, error.rawMessage]).toEqual([Code.FailedPrecondition, expect.stringMatching(/2 .* limit is 1/)]);
    expect([writes(), bouncer.count()]).toEqual([0, 2]);
    expect(audit()).toMatchObject([{ by: "root", selector: { user: "ann" }, outcome: error.rawMessage }]);
  });
});

test("it is not mounted without authorize", async () => {
  const bouncer = createBouncer({ identify: () => undefined });
  for (const options of [undefined, {}, { authorize: undefined }, { authorize: "root" }]) {
    expect(() => adminService(bouncer, options as never)).toThrow(TypeError);
    expect(() => adminService(bouncer, options as never)).toThrow(/^authorize: expected a function/);
  }
  expect(() => adminService({} as never, { authorize: byToken })).toThrow(/^bouncer: /);
});
