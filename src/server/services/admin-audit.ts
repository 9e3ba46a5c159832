import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { Patience } from "../admission/patience.js";
import type { Audit } from "../audit/audit.js";
import { DrainingError } from "../drain/drain.js";
import { rawRequestKey, rawStreamOf } from "../inside/raw-stream.js";
import type { Report } from "../inside/report.js";
import { LimitError } from "../verdict/limit-error.js";
import type { Selector } from "../who/selector.js";

/** A call of the admin service, before it is allowed. */
export interface AdminCall {
  /** `List`, `Kick`, … */
  readonly method: string;
  /** Of the request. */
  readonly header: Headers;
  /** The remote address; `undefined` where `contextValues` is not set. */
  readonly peer: string | undefined;
  /** Connect's own. */
  readonly context: HandlerContext;
}

/**
 * Answers with the name of who may, for the audit, or with `false`. What it throws is logged and refuses, and so does an answer that
 * does not come within the bouncer's `identifyTimeoutMs`.
 */
export type Authorize = (call: AdminCall) => string | false | Promise<string | false>;

/** Whom a call is about, for the audit. */
export interface About {
  readonly selector: Selector;
  readonly note?: string | undefined;
  readonly dryRun?: boolean | undefined;
}

/** One call, authorized before anything else is looked at, and audited whatever comes of it. `by`: who calls. */
export type Audited = <T>(context: HandlerContext, about: About, work: (by: string) => T | Promise<T>) => Promise<T>;

export function createAudited(authorize: Authorize, patience: Patience, audit: Audit): Audited {
  /** Who calls, or throws. */
  async function callerOf(context: HandlerContext): Promise<string> {
    const method = context.method.name;
    const peer = peerOf(context);
    let by: string | false = false;
    try {
      by = await patience(() => authorize({ method, header: context.requestHeader, peer, context }), context.signal);
    } catch (error) {
      audit.failure(error, `authorize failed for ${method}`);
    }
    if (typeof by === "string" && by !== "") return by;
    audit.note({ event: "admin", method, peer, outcome: "refused" }, `admin: ${method} refused`);
    throw new ConnectError("not authorized", Code.PermissionDenied);
  }

  return async (context, about, work) => {
    const by = await callerOf(context);
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
  };
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
  const counts = { matched, told, forced, left, failed, verdict: verdict || undefined };
  return { ...counts, lifted, epoch: epoch?.toString(), total };
}

function peerOf({ values }: HandlerContext): string | undefined {
  const request = values.get(rawRequestKey);
  return request && rawStreamOf(request).peer;
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
