import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { functionIn } from "../../check/invalid.js";
import { AdminService, type DrainRequest, type Options } from "../../gen/farewell/v1/admin_pb.js";
import { createPatience } from "../admission/patience.js";
import { type Bouncer, partsOf } from "../bouncer.js";
import type { DrainProgress, Report } from "../inside/report.js";
import { checkSelector } from "../who/selector.js";
import { type About, type Authorize, createAudited } from "./admin-audit.js";
import {
  dateFrom,
  localizedFrom,
  msFrom,
  optionsFrom,
  outcomeMessage,
  progressMessage,
  selectorFrom,
  streamMessage,
} from "./admin-messages.js";
import { pageOf } from "./admin-pages.js";
import { createNews } from "./news.js";

export { AdminService };

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
  const { audit, clock, settings } = partsOf(bouncer);
  const authorize = options?.authorize;
  functionIn("authorize", authorize);
  const audited = createAudited(authorize, createPatience(settings.identifyTimeoutMs, clock), audit);
  return {
    list: ({ selector, pageSize, pageToken }, context) =>
      audited(context, { selector: selectorFrom(selector) }, () => {
        const all = bouncer.list(checkSelector(selectorFrom(selector)));
        const { streams, nextPageToken } = pageOf(all, pageSize, pageToken);
        return { streams: streams.map(streamMessage), nextPageToken, total: all.length };
      }),
    kick: ({ selector, code, message, localized, options, hold }, context) =>
      audited(context, { selector: selectorFrom(selector), ...aboutOf(options) }, async (by) => {
        const words = { code, message, localized: localizedFrom(localized) };
        const how = { ...optionsFrom(options, by), holdMs: msFrom("hold", hold) };
        return { outcome: outcomeMessage(await bouncer.kick(selectorFrom(selector), words, how)) };
      }),
    ban: ({ selector, until, code, message, localized, options }, context) =>
      audited(context, { selector: selectorFrom(selector), ...aboutOf(options) }, async (by) => {
        const words = { until: dateFrom("until", until), code, message, localized: localizedFrom(localized) };
        return { outcome: outcomeMessage(await bouncer.ban(selectorFrom(selector), words, optionsFrom(options, by))) };
      }),
    lift: ({ selector, note }, context) =>
      audited(context, { selector: selectorFrom(selector), note }, async (by) => ({
        lifted: await bouncer.lift(selectorFrom(selector), { by, note: note || undefined }),
      })),
    revoke: ({ user, message, options }, context) =>
      audited(context, { selector: { user }, ...aboutOf(options) }, async (by) => {
        if (user === "") throw new TypeError("user: expected a string that is not empty");
        const words = message === "" ? {} : { message };
        const report = await bouncer.revoke(user, words, optionsFrom(options, by));
        return { epoch: BigInt(report.epoch), outcome: outcomeMessage(report) };
      }),
    drain: (request, context) => drain(request, context),
  };

  async function* drain(request: DrainRequest, context: HandlerContext) {
    const news = createNews<DrainProgress>();
    const over = new AbortController();
    const draining = audited(context, { selector: { all: true }, note: request.note }, (by) =>
      startDrain(request, by, news.tell),
    ).finally(() => {
      over.abort();
      news.wake();
    });
    draining.catch(() => {}); // awaited below, unless the caller has left
    for (;;) {
      for (let progress = news.take(); progress; progress = news.take()) yield progressMessage(progress);
      if (over.signal.aborted) break;
      await new Promise<void>(news.wait);
    }
    await draining;
  }

  function startDrain(
    { over, backAfter, message, localized, note }: DrainRequest,
    by: string,
    onProgress: (progress: DrainProgress) => void,
  ): Promise<Report> {
    const backAfterMs = msFrom("back_after", backAfter);
    return bouncer.drain({
      overMs: msFrom("over", over),
      backAt: backAfterMs === undefined ? undefined : new Date(clock.now() + backAfterMs),
      message,
      localized: localizedFrom(localized),
      by,
      note: note || undefined,
      onProgress,
    });
  }
}

function aboutOf(options: Options | undefined): Pick<About, "note" | "dryRun"> {
  return { note: options?.note, dryRun: options?.dryRun };
}
