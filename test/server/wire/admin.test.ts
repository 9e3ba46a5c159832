import { inspect } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { createFakeClock } from "../../../src/testing/index.js";
import { collect } from "../../in-memory.js";
import { leaveNothing, patience } from "../../wire/leave-nothing.js";
import { openOffice } from "./back-office.js";
import { nobodyLeft } from "./guest.js";

// The admin service as a back end in any language meets it.

const own = leaveNothing();

const ann = { selector: { user: "ann" } };

describe.each(["node h2 connect", "node h2 grpc"] as const)("to %s,", (name) => {
  test("it lists who is inside in pages, and skips nobody when others leave", async () => {
    const { admin, bouncer } = await openOffice(own, name, { users: ["ann", "bob", "ann", "cid", "ann"] });
    const all = { selector: { all: true } };
    const whole = await admin.list(all);
    expect(whole).toMatchObject({ total: 5, nextPageToken: "" });
    expect(whole.streams[0]).toMatchObject({ user: "ann", session: "ann-0", peer: "127.0.0.1", tags: [] });
    expect(whole.streams[0]?.method).toBe("chat.v1.ChatService/Subscribe");
    expect(Number(whole.streams[0]?.since?.seconds)).toBe(Math.floor((bouncer.list()[0]?.since.getTime() ?? 0) / 1000));
    const first = await admin.list({ ...all, pageSize: 2 });
    expect(first.streams.map(({ session }) => session)).toEqual(["ann-0", "bob-1"]);
    await bouncer.kick({ session: "bob-1" });
    const second = await admin.list({ ...all, pageSize: 2, pageToken: first.nextPageToken });
    expect(second.streams.map(({ session }) => session)).toEqual(["ann-2", "cid-3"]);
    const third = await admin.list({ ...all, pageSize: 2, pageToken: second.nextPageToken });
    expect(third).toMatchObject({ streams: [{ session: "ann-4" }], nextPageToken: "", total: 4 });
    expect(await admin.list({ ...ann, pageSize: 3 })).toMatchObject({ total: 3, nextPageToken: "" });
    expect((await admin.list({ selector: { user: "ann", exceptSession: "ann-2" } })).total).toBe(2);
    expect((await admin.list({ selector: { tag: "nobody" } })).total).toBe(0);
  });

  test("it kicks: dry, within a limit, by abort, and with the streams named", async () => {
    const { server, admin, guests, bouncer, knock } = await openOffice(own, name, { users: ["ann", "bob"] });
    const dry = await admin.kick({ ...ann, options: { dryRun: true, details: true } });
    expect(dry.outcome).toMatchObject({ matched: 1, told: 0, verdict: "", streams: [{ outcome: "matched" }] });
    expect(bouncer.count()).toBe(2);
    const localized = { locale: "de", message: "Ade" };
    const { outcome } = await admin.kick({
      ...ann,
      code: "afk",
      message: "Idle",
      localized,
      options: { details: true },
    });
    expect(outcome).toMatchObject({ matched: 1, told: 1, forced: 0, left: 0, failed: 0 });
    expect(outcome?.streams).toMatchObject([{ stream: { user: "ann", session: "ann-0" }, outcome: "told" }]);
    expect(await guests[0]?.end).toMatchObject({ reason: "kicked", code: "afk", message: "Idle", localized });
    await admin.kick({ ...ann, message: "Idle", hold: { seconds: 600n } });
    expect(await (await knock("ann", "ann-9")).end).toMatchObject({ reason: "kicked", message: "Idle" });
    expect(await admin.lift(ann)).toMatchObject({ lifted: true });
    const cut = await admin.kick({ selector: { all: true }, options: { abort: true, limit: 1 } });
    expect(cut.outcome).toMatchObject({ matched: 1, told: 0, forced: 1, streams: [] });
    expect(await guests[1]?.end).toMatchObject({ reason: "kicked", code: undefined });
    await nobodyLeft(server);
  });

  test("it bans until a time, and lifts the ban once", async () => {
    const { admin, bouncer, guests, knock } = await openOffice(own, name);
    const until = Math.ceil(Date.now() / 1000) * 1000 + 3_600_000;
    const { outcome } = await admin.ban({
      ...ann,
      until: { seconds: BigInt(until / 1000) },
      code: "cheat",
      message: "Cheating",
    });
    expect(outcome).toMatchObject({ matched: 1, told: 1 });
    const banned = { reason: "banned", until: new Date(until), code: "cheat", message: "Cheating" };
    expect(await guests[0]?.end).toMatchObject(banned);
    expect(await (await knock("ann", "again")).end).toMatchObject(banned);
    expect((await admin.lift(ann)).lifted).toBe(true);
    expect((await admin.lift(ann)).lifted).toBe(false);
    await knock("ann", "at last");
    expect(bouncer.count()).toBe(1);
  });

  test("it revokes, and tells the epoch", async () => {
    const { admin, guests } = await openOffice(own, name);
    const { epoch, outcome } = await admin.revoke({ user: "ann", message: "Password changed" });
    expect([epoch, outcome?.told]).toEqual([1n, 1]);
    expect(await guests[0]?.end).toMatchObject({ reason: "unauthenticated", message: "Password changed" });
    expect(await admin.revoke({ user: "ann" })).toMatchObject({ epoch: 2n, outcome: { matched: 0 } });
  });

  test("it drains, and tells how far it is, the end last", async () => {
    const { server, admin, guests } = await openOffice(own, name, { users: ["ann", "bob"] });
    const { messages, end } = collect(admin.drain({ over: {}, message: "Deploying", note: "v2" }));
    expect(await end).toBeUndefined();
    expect(messages.map(({ done }) => done)).toEqual([...messages.slice(1).map(() => false), true]);
    expect(messages[0]).toMatchObject({ total: 2, inside: 2, done: false });
    expect(messages.at(-1)).toMatchObject({ total: 2, inside: 0, outcome: { matched: 2, told: 2 } });
    for (const guest of guests) expect(await guest.end).toMatchObject({ reason: "maintenance", message: "Deploying" });
    await nobodyLeft(server);
  });

  test("a drain goes on without its caller", async () => {
    const clock = createFakeClock();
    const { server, admin, audit } = await openOffice(own, name, { users: ["ann", "bob"], clock });
    const gone = new AbortController();
    const { messages, end } = collect(
      admin.drain({ over: { seconds: 0n, nanos: 300_000_000 } }, { signal: gone.signal }),
    );
    await vi.waitFor(() => expect(messages).toHaveLength(1), patience);
    gone.abort();
    expect(ConnectError.from(await end).code).toBe(Code.Canceled);
    await clock.advance(300);
    await nobodyLeft(server);
    await vi.waitFor(() => expect(audit()).toMatchObject([{ method: "Drain", outcome: "done" }]), patience);
  });

  test("a second drain is refused while the first one goes on", async () => {
    const clock = createFakeClock();
    const { server, admin, bouncer, audit } = await openOffice(own, name, { users: ["ann", "bob"], clock });
    const first = collect(admin.drain({ over: { seconds: 0n, nanos: 300_000_000 } }));
    await vi.waitFor(() => expect(first.messages).toHaveLength(1), patience);
    const error = ConnectError.from(await collect(admin.drain({})).end);
    expect([error.code, error.rawMessage]).toEqual([
      Code.FailedPrecondition,
      expect.stringMatching(/already under way/),
    ]);
    expect(audit()).toMatchObject([{ method: "Drain", outcome: error.rawMessage }]);
    expect(bouncer.stats().verdicts.maintenance).toBe(1);
    await clock.advance(300);
    expect(await first.end).toBeUndefined();
    await nobodyLeft(server);
  });

  test("every call is audited with who, whom, why and the outcome, and no secret is logged", async () => {
    const { admin, lines, audit } = await openOffice(own, name);
    const options = { note: "because" };
    await admin.list(ann);
    const { outcome } = await admin.kick({ ...ann, options });
    await admin.ban({ ...ann, options });
    await admin.lift({ ...ann, note: "because" });
    await admin.revoke({ user: "ann", options });
    expect(await admin.kick({ selector: {}, options }).catch((error) => error.rawMessage)).toMatch(/^selector: /);
    for await (const _ of admin.drain({ note: "because" }));
    const { verdict } = outcome ?? {};
    const done = { by: "root", peer: "127.0.0.1", selector: { user: "ann" }, note: "because", outcome: "done" };
    expect(audit()).toMatchObject([
      { ...done, method: "List", note: undefined, total: 1 },
      { ...done, method: "Kick", verdict, matched: 1, told: 1 },
      { ...done, method: "Ban", matched: 0 },
      { ...done, method: "Lift", lifted: true },
      { ...done, method: "Revoke", matched: 0 },
      { ...done, method: "Kick", selector: {}, outcome: expect.stringMatching(/^selector: expected one of/) },
      { ...done, method: "Drain", selector: { all: true } },
    ]);
    const verdicts = lines.filter(({ fields }) => fields.event === "verdict").map(({ fields }) => fields);
    expect(verdicts.map(({ reason, by, note }) => [reason, by, note])).toEqual([
      ["kicked", "root", "because"],
      ["banned", "root", "because"],
      ["unauthenticated", "root", "because"],
      ["maintenance", "root", "because"],
    ]);
    const outcomes = lines.filter(({ fields }) => fields.event === "outcome").map(({ fields }) => fields);
    expect(outcomes[0]).toMatchObject({ verdict, matched: 1, told: 1 });
    expect(inspect(lines, { depth: 20 })).not.toMatch(/s3cret|guest-token|oatmeal|Bearer|cookie/i);
  });
});
