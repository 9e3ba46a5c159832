import { isAnswer } from "../disconnect/answer.js";
import type { Disconnect } from "../disconnect/disconnect.js";
import { undisturbed } from "../disconnect/error-of.js";
import { attemptAt, attemptOfVerdict } from "../machine/lost.js";
import type { Moment } from "../machine/state.js";
import { type Attempt, type Decision, decide, defaultPolicies, type ResolvedPolicies } from "../policy/policy.js";
import { answerOf } from "../ports/guarded.js";
import type { SessionStream, StreamHost } from "../stream/host.js";
import type { Driver } from "./driver.js";
import type { Attached } from "./extension.js";
import type { Notices } from "./notices.js";

export interface StreamHostOptions extends Pick<StreamHost, "transport" | "clock" | "headersTimeoutMs" | "connection"> {
  readonly driver: Driver;
  readonly streams: Map<number, SessionStream>;
  readonly extensions: Required<Attached>;
  /** Names the ending of a stream whose last attempt was sent at `sentAt`. */
  readonly name: Notices["name"];
  /** A connection has failed in this turn of the event loop. */
  readonly disturb: () => void;
  readonly reportError: (error: unknown) => void;
}

/** A session as its streams see it: what happens to them becomes an input of the machine. */
export function createStreamHost(options: StreamHostOptions): StreamHost {
  const { driver, streams, extensions, name, disturb, reportError } = options;
  let unwatch = () => {};

  function join({ label, reopenable, resumes }: SessionStream): void {
    driver.feed({ type: "joined", stream: { label, reopenable, resumes }, pause: extensions.pause() });
  }
  return {
    transport: options.transport,
    clock: options.clock,
    headersTimeoutMs: options.headersTimeoutMs,
    connection: options.connection,
    joined(stream) {
      const first = streams.size === 0;
      streams.set(stream.label.id, stream);
      if (first) {
        unwatch = extensions.watch();
        driver.consult(true);
      }
      join(stream);
    },
    left({ label }, ended) {
      streams.delete(label.id);
      if (streams.size === 0) unwatch();
      driver.feed({ type: "left", stream: label.id }, driver.moment(), ended);
    },
    opened: ({ label }, first) => driver.feed({ type: "opened", stream: label.id, first }),
    delivered: ({ label, reopenable }) => driver.feed({ type: "delivered", stream: label.id, reopenable }),
    lost(stream, evidence) {
      const { label, reopenable, resumes, sentAt } = stream;
      const disconnect = name(evidence, sentAt, stream.opened ? "stream" : openInSession(driver));
      if (!disconnect) {
        if ("error" in evidence && stream.restarts(evidence.error)) return join(stream);
        if (!("error" in evidence) || isAnswer(evidence.error)) driver.feed({ type: "answered", stream: label.id });
        return "error" in evidence
          ? stream.stop("failed", undisturbed(evidence.error))
          : stream.stop("complete", undefined);
      }
      disturb();
      const moment = driver.moment();
      const loss = { stream: label.id, disconnect, sentAt };
      const attempt = attemptAt(driver.machine, loss, driver.rules, moment);
      if (!attempt) return; // it is being stopped
      const decision = decideOrDefault(driver, disconnect, attempt, reportError);
      driver.feed({ type: "lost", ...loss, reopenable, resumes, decision }, moment);
    },
    emit: driver.emit,
  };
}

/** Whether a stream of the session was open, in this login. */
export function openInSession({ machine }: Driver): "session" | undefined {
  return machine.connected ? "session" : undefined;
}

/** A server's verdict was heard on something that is no stream of the session. */
export function hear(driver: Driver, disconnect: Disconnect, reportError: (error: unknown) => void): void {
  const moment = driver.moment();
  driver.feed({ type: "verdict", disconnect, decision: decideFirst(driver, disconnect, reportError, moment) }, moment);
}

/** What the policy says about the first of its kind. */
export function decideFirst(
  driver: Driver,
  disconnect: Disconnect,
  reportError: (error: unknown) => void,
  moment: Moment = driver.moment(),
): Decision {
  return decideOrDefault(driver, disconnect, attemptOfVerdict(driver.machine, driver.rules, moment), reportError);
}

/** A policy function that throws, or does not answer at once, is reported, and the default decides. */
export function decideOrDefault(
  { rules }: Driver,
  disconnect: Disconnect,
  attempt: Attempt,
  reportError: (error: unknown) => void,
): Decision {
  return (
    answerOf(() => decide(rules.policies, disconnect, attempt, reportError), reportError) ??
    decide(defaultPolicies as ResolvedPolicies, disconnect, attempt)
  );
}
