import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationMs, type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { functionIn } from "../../check/invalid.js";
import {
  AdminService,
  type Options,
  type OutcomeSchema,
  type Selector as SelectorMessage,
  type StreamSchema,
} from "../../gen/farewell/v1/admin_pb.js";
import type { LocalizedMessage } from "../../gen/google/rpc/error_details_pb.js";
import { type Bouncer, houseOf } from "../bouncer.js";
import { DrainingError, type DrainProgress } from "../drain/drain.js";
import type { Stream } from "../inside/admitted-stream.js";
import { rawRequestKey, rawStreamOf } from "../inside/raw-stream.js";
import type { Report } from "../verdict/evict.js";
import { LimitError, type VerdictOptions } from "../verdict/verdicts.js";
import { checkSelector, type Selector } from "../who/selector.js";

export { AdminService };

/** A call of the admin service, before it is allowed. */
export interface AdminCall {
  /** `List`, `Kick`, … */
  readonly method: string;
  readonly header: Headers;
  readonly peer: string | undefined;
  readonly context: HandlerContext;
}

/** Answers with the name of who may, for the audit, or with `false`. What it throws is logged and refuses. */
export type Authorize = (call: AdminCall) => string | false | Promise<string | false>;

/**
 * The bouncer's calls as RPCs, for back ends in any language. Each is audited in the bouncer's log: who, whom, why and the
 * outcome.
 *
 * @throws TypeError where `authorize` is missing: there is no way to mount it open
 * @example
 * router.service(AdminService, adminService(bouncer, { authorize: ({ header }) => adminOf(header.get("authorization")) }));
 */
export function adminService(
  bouncer: Bouncer,
  options: { readonly authorize: Authorize },
): ServiceImpl<typeof AdminService> {
  const { audit, clock } = houseOf(bouncer);
  const authorize = options?.authorize;
  functionIn("authorize", authorize);

  /** Who calls, or throws. */
  async function caller(context: HandlerContext): Promise<string> {
    const method = context.method.name;
    const peer = peerOf(context);
    let by: string | false = false;
    try {
      by = await authorize({ method, header: context.requestHeader, peer, context });
    } catch (error) {
      audit.failure(error, `authorize failed for ${method}`);
    }
    if (typeof by === "string" && by !== "") return by;
    audit.note({ event: "admin", method, peer, outcome: "refused" }, `admin: ${method} refused`);
    throw new ConnectError("not authorized", Code.PermissionDenied);
  }

  /** One call, authorized before anything else is looked at, and audited whatever comes of it. */
  async function audited<T>(context: HandlerContext, about: About, work: (by: string) => T | Promise<T>): Promise<T> {
    const by = await caller(context);
    const method = context.method.name;
    const call = { event: "admin", method, by, peer: peerOf(context), ...about, note: about.note || undefined };
    try {
      const answer = await work(by);
      audit.note({ ...call, outcome: "done", ...countsIn(answer) }, `admin: ${method} by ${by}`);
      return answer;
    } catch (error) {
      const failure = statusOf(error);
      audit.note({ ...call, outcome: failure.rawMessage }, `admin: ${method} by ${by} failed`);
      if (failure.code === Code.Internal) audit.failure(error, `admin: ${method} failed`);
      throw failure;
    }
  }

  return {
    list: ({ selector, pageSize, pageToken }, context) =>
      audited(context, { selector: selectorOf(selector) }, () => {
        if (pageSize > largestPage) throw new TypeError(`page_size: expected at most ${largestPage}, got ${pageSize}`);
        const all = bouncer.list(checkSelector(selectorOf(selector)));
        const from = pageToken === "" ? 0 : after(all, numberOf(pageToken));
        const page = all.slice(from, from + (pageSize || 100));
        const more = from + page.length < all.length;
        return { streams: page.map(streamOf), nextPageToken: more ? (page.at(-1)?.id ?? "") : "", total: all.length };
      }),
    kick: ({ selector, code, message, localized, options }, context) =>
      audited(context, { selector: selectorOf(selector), ...aboutOf(options) }, async (by) => {
        const words = { code, message, localized: localizedOf(localized) };
        return { outcome: outcomeOf(await bouncer.kick(selectorOf(selector), words, optionsOf(options, by))) };
      }),
    ban: ({ selector, until, code, message, localized, options }, context) =>
      audited(context, { selector: selectorOf(selector), ...aboutOf(options) }, async (by) => {
        const words = { until: dateOf("until", until), code, message, localized: localizedOf(localized) };
        return { outcome: outcomeOf(await bouncer.ban(selectorOf(selector), words, optionsOf(options, by))) };
      }),
    lift: ({ selector, note }, context) =>
      audited(context, { selector: selectorOf(selector), note }, async (by) => ({
        lifted: await bouncer.lift(selectorOf(selector), { by, note: note || undefined }),
      })),
    revoke: ({ user, message, options }, context) =>
      audited(context, { selector: { user }, ...aboutOf(options) }, async (by) => {
        if (user === "") throw new TypeError("user: expected a string that is not empty");
        const words = message === "" ? {} : { message };
        const report = await bouncer.revoke(user, words, optionsOf(options, by));
        return { epoch: BigInt(report.epoch), outcome: outcomeOf(report) };
      }),
    async *drain({ over, backAfter, message, localized, note }, context) {
      const told: DrainProgress[] = [];
      let wake = () => {};
      let running = true;
      const draining = audited(context, { selector: { all: true }, note }, (by) => {
        const backAfterMs = msOf("back_after", backAfter);
        return bouncer.drain({
          overMs: msOf("over", over),
          backAt: backAfterMs === undefined ? undefined : new Date(clock.now() + backAfterMs),
          message,
          localized: localizedOf(localized),
          by,
          note: note || undefined,
          onProgress(progress) {
            told.push(progress);
            wake();
          },
        });
      }).finally(() => {
        running = false;
        wake();
      });
      draining.catch(() => {}); // awaited below, unless the caller has left
      while (running || told.length > 0) {
        const news = told.shift();
        if (news) {
          const { total, inside, report, done } = news;
          yield { total, inside, outcome: outcomeOf(report), done };
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
      await draining;
    },
  };
}

/** Whom a call is about, for the audit. */
interface About {
  readonly selector: Selector;
  readonly note?: string | undefined;
  readonly dryRun?: boolean | undefined;
}

/** The counts of whatever an answer tells of what has come of it. */
function countsIn(answer: unknown): object {
  const { outcome, lifted, epoch, total } = (answer ?? {}) as {
    readonly outcome?: Report;
    readonly lifted?: boolean;
    readonly epoch?: bigint;
    readonly total?: number;
  };
  const { matched, told, forced, left, failed, verdict } = outcome ?? (answer as Report) ?? {};
  return {
    matched,
    told,
    forced,
    left,
    failed,
    verdict: verdict || undefined,
    lifted,
    epoch: epoch?.toString(),
    total,
  };
}

function peerOf({ values }: HandlerContext): string | undefined {
  const raw = values.get(rawRequestKey);
  return raw && rawStreamOf(raw).peer;
}

const largestPage = 1_000;

/** Nothing said is nobody meant: the bouncer refuses it. */
function selectorOf(message: SelectorMessage | undefined): Selector {
  const { user, session, tag, stream, all, exceptSession } = message ?? ({} as Partial<SelectorMessage>);
  const given = Object.entries({ user, session, tag, stream }).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(given),
    ...(all && { all }),
    ...(exceptSession !== undefined && { except: { session: exceptSession } }),
  };
}

function aboutOf(options: Options | undefined): Pick<About, "note" | "dryRun"> {
  return { note: options?.note, dryRun: options?.dryRun };
}

function optionsOf(options: Options | undefined, by: string): VerdictOptions {
  if (!options) return { by };
  const { abort, forceAfter, dryRun, limit, details, note } = options;
  return {
    mode: abort ? "abort" : "tell",
    forceAfterMs: msOf("options.force_after", forceAfter),
    dryRun,
    limit,
    details,
    by,
    note: note === "" ? undefined : note,
  };
}

function msOf(field: string, duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined;
  const ms = durationMs(duration);
  if (!(ms >= 0)) throw new TypeError(`${field}: expected a duration of at least 0, got ${ms} ms`);
  return ms;
}

function dateOf(field: string, time: Timestamp | undefined): Date | undefined {
  if (time === undefined) return undefined;
  const date = timestampDate(time);
  if (Number.isNaN(date.getTime())) throw new TypeError(`${field}: expected a time in the years 1 to 9999`);
  return date;
}

function localizedOf(message: LocalizedMessage | undefined) {
  return message && { locale: message.locale, message: message.message };
}

function outcomeOf({ verdict, streams, ...counts }: Report): MessageInitShape<typeof OutcomeSchema> {
  return {
    ...counts,
    verdict: verdict ?? "",
    streams: (streams ?? []).map(({ stream, outcome }) => ({ stream: streamOf(stream), outcome })),
  };
}

function streamOf({ since, tags, ...stream }: Stream): MessageInitShape<typeof StreamSchema> {
  const given = Object.fromEntries(Object.entries(stream).filter(([, value]) => value !== undefined));
  return { ...given, tags: [...tags], since: timestampFromDate(since) };
}

/** Streams come in the order of their numbers, so a page goes on after one that has left, too. */
function after(streams: readonly Stream[], number: number): number {
  const next = streams.findIndex(({ id }) => numberOf(id) > number);
  return next < 0 ? streams.length : next;
}

function numberOf(id: string): number {
  const number = Number(/-(\d+)$/.exec(id)?.[1]);
  if (Number.isNaN(number))
    throw new TypeError(`page_token: expected one from an answer before, got ${JSON.stringify(id)}`);
  return number;
}

/** Bad input names its field; whatever else went wrong is ours, and no business of the caller's. */
function statusOf(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  // Here the words are fields of the request itself.
  if (error instanceof TypeError) return new ConnectError(error.message.replace(/^words\./, ""), Code.InvalidArgument);
  if (error instanceof LimitError || error instanceof DrainingError) {
    return new ConnectError(error.message, Code.FailedPrecondition);
  }
  return new ConnectError("the store failed; nothing was done", Code.Internal);
}
