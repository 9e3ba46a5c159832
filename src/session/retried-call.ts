import type { UnaryResponse } from "@connectrpc/connect";
import type { Evidence } from "../disconnect/classify.js";
import type { Disconnect } from "../disconnect/disconnect.js";
import { errorOf } from "../disconnect/error-of.js";
import { event } from "../machine/events.js";
import type { Phase } from "../machine/state.js";
import type { StreamLabel } from "../machine/stream-label.js";
import type { SessionStream } from "../stream/host.js";
import { methodName } from "../stream/method-name.js";
import type { Promised } from "../stream/promised.js";
import { deadlineOf, heed } from "../stream/stream.js";
import type { RetryHost, UnaryCall } from "./retried-entry.js";
import { decideFirst, openInSession } from "./stream-host.js";
import { createAttempts, senderOf, type UnaryAttempt } from "./unary-attempts.js";

/**
 * Begins a call that may be made again. Until something is lost it is a call like any other. From then on it takes part
 * in the session's outage like a stream: it waits in the same queue, and probes for all when it is the first there.
 *
 * @returns the first attempt, when it has begun
 */
export function beginCall(call: UnaryCall, session: RetryHost, maxAttempts: number): Promise<UnaryAttempt> {
  const { driver, host: streams, login } = session;
  const { clock } = streams;
  const deadline = deadlineOf(call, clock.monotonic());
  const send = senderOf(call, deadline, streams);
  const life = new AbortController(); // aborted when the call has ended, however it ended
  const attempts = createAttempts();
  let current: { readonly over: AbortController; readonly answer: Promised<UnaryResponse> } | undefined;
  let sentAt = 0;
  let label: StreamLabel | undefined;
  let joined = false;

  const stream: SessionStream = {
    get label() {
      label ??= session.label(methodName(call.method));
      return label;
    },
    reopenable: true,
    resumes: true, // an answer leaves no gap
    last: undefined,
    opened: false,
    get sentAt() {
      return sentAt;
    },
    letGo() {
      if (!current && !life.signal.aborted) begin();
    },
    restarts: () => false,
    hold: giveUp, // after a pause its connection may be dead, and the server may see it twice
    lose: (evidence) => (current ? lost(evidence) : undefined),
    stop(outcome, error, disconnect, why) {
      if (life.signal.aborted) return;
      life.abort();
      attempts.end(error);
      giveUp();
      if (!joined) return;
      streams.left(stream, event("streamEnded", { stream: stream.label, outcome, disconnect, error, why }));
    },
  };

  function begin(): void {
    const over = new AbortController();
    const answer = attempts.begin();
    current = { over, answer };
    sentAt = clock.monotonic();
    send(over.signal, { answered: (response) => answered(answer, response), lost });
  }

  function answered(answer: Promised<UnaryResponse>, response: UnaryResponse): void {
    answer.resolve(response); // before the events: it is there, whatever their listeners do
    if (joined) {
      streams.opened(stream, true);
      streams.delivered(stream);
    }
    stream.stop("complete", undefined);
  }

  /** The attempt is over, whatever the transport says: the call waits for its next one, or ends. */
  function lost(evidence: Evidence): void {
    const disconnect = session.notices.name(evidence, sentAt, openInSession(driver));
    const { action } = disconnect ? decideFirst(driver, disconnect, session.reportError) : none;
    const error = disconnect ? errorOf(disconnect) : "error" in evidence && evidence.error;
    const last = attempts.count >= maxAttempts;
    if (!joined && (action !== "reconnect" || last || session.login !== login)) {
      stream.stop("failed", error); // as any other call; what was said to the login before concerns nobody else
    } else if (joined && action === "end" && disconnect && isBare(disconnect)) {
      // A bare status that ends is this call's answer, and says nothing about the session.
      driver.feed({ type: "answered", stream: stream.label.id });
      stream.stop("failed", error);
    } else {
      join();
      giveUp();
      if (!life.signal.aborted) streams.lost(stream, evidence);
      if (last) stream.stop("failed", error, disconnect);
    }
  }

  /** From now on the session holds it and ends it with the others. */
  function join(): void {
    if (joined) return;
    const refused = session.refusal();
    if (refused !== undefined) {
      stream.stop("stopped", refused);
      return;
    }
    joined = true;
    streams.joined(stream);
  }

  function giveUp(): void {
    current?.answer.reject(new Error("lost"));
    current?.over.abort();
    current = undefined;
  }

  heed(call, deadline, clock, life.signal, stream);
  if (!life.signal.aborted) waits(driver.machine.phase) ? join() : begin();
  return attempts.first;
}

/** A status, of the server or of HTTP, and nothing said with it. */
function isBare({ source, said }: Disconnect): boolean {
  return source === "http" || (source === "status" && said);
}

const none = { action: undefined };

/** Others wait already. */
function waits(phase: Phase): boolean {
  return "outage" in phase && phase.status !== "recovering";
}
