import { constants, type ServerHttp2Stream } from "node:http2";
import { systemClock } from "../../ports/clock.js";

const lookAgainMs = 50;
/** A stream is looked at less and less often: each time after twice as many rounds, up to so many. */
const mostRounds = 64;

interface Lingering {
  /** In which round it is looked at. */
  round: number;
  /** And after how many rounds again. */
  rounds: number;
}

/** Streams that are answered, and whose clients have not ended their own half. */
const lingering = new Map<ServerHttp2Stream, Lingering>();
let round = 0;
let timer: AbortController | undefined;

/**
 * A client that never ends its own half would keep an answered call open for ever. It is asked to stop as RFC 9113, section
 * 8.1, says, but only when the answer has left: a reset overtakes whatever still waits in nghttp2's queue. One timer looks
 * after all of them, for a client may leave thousands open, and never read.
 */
export function linger(stream: ServerHttp2Stream): void {
  lingering.set(stream, { round: round + 1, rounds: 1 });
  stream.once("close", () => forget(stream));
  if (!timer) void look();
}

function forget(stream: ServerHttp2Stream): void {
  lingering.delete(stream);
  if (lingering.size === 0) timer?.abort();
}

async function look(): Promise<void> {
  while (lingering.size > 0) {
    timer = new AbortController();
    await systemClock.sleep(lookAgainMs, timer.signal).catch(() => {}); // nobody is left
    round++;
    for (const [stream, when] of lingering) if (when.round <= round) lookAt(stream, when);
  }
  timer = undefined;
}

function lookAt(stream: ServerHttp2Stream, when: Lingering): void {
  const { destroyed, session, sentTrailers } = stream;
  if (destroyed || !session || session.destroyed) {
    forget(stream);
    return;
  }
  if (sentTrailers !== undefined && (session.state.outboundQueueSize ?? 0) === 0) {
    forget(stream);
    stream.close(constants.NGHTTP2_NO_ERROR);
    return;
  }
  when.rounds = Math.min(mostRounds, when.rounds * 2);
  when.round = round + when.rounds;
}
