import { clone, create, type DescMessage, type DescMethodUnary } from "@bufbuild/protobuf";
import { Code, ConnectError, type UnaryResponse } from "@connectrpc/connect";
import { checkUnary } from "#check";
import type { Rules } from "../machine/state.js";
import { createBudget } from "../policy/rate-limit.js";
import type { Clock } from "../ports/clock.js";
import { methodName } from "../stream/method-name.js";
import { deadlineOf, heed } from "../stream/stream.js";
import type { RetriedEntry, RetryHost, UnaryCall } from "./retried-entry.js";

/**
 * Lets the calls of a unary method be sent once more where the server answers "unauthenticated": after `refresh`, which such an
 * answer starts unless it is on its way already. Without a method: those of all unary methods that have no entry of their
 * own.
 *
 * The request and the headers are those of the call. What the second answer is, the caller gets.
 *
 * @throws TypeError that names the method
 * @example
 * createSession(transport, { refresh, methods: [reauthenticated()] });
 */
export function reauthenticated<I extends DescMessage, O extends DescMessage>(
  method?: DescMethodUnary<I, O>,
): RetriedEntry {
  if (method) checkUnary(method);
  const name = method && methodName(method);
  const covers = (other: DescMethodUnary) => name === undefined || methodName(other) === name;
  return { method, madeBy: "reauthenticated()", covers, retry };
}

/** How asking for credentials fared, in one session: where it does not help, a polling app must not ask each time. */
interface Luck {
  /** How often in a row it did not help. */
  vain: number;
  /** No call asks before; by the clock that is never set. */
  quietUntil: number;
  /** A server that refuses every other call is not asked for credentials each time. */
  readonly heldMs: (now: number) => number;
}

const lucks = new WeakMap<object, Luck>();
const initialMs = 1_500;
const maxMs = 45_000;

async function retry(call: UnaryCall, host: RetryHost): Promise<UnaryResponse> {
  const { once, method, signal, timeoutMs, contextValues } = call;
  const { credentials, driver, login } = host;
  const { clock } = host.host;
  const deadline = deadlineOf(call, clock.monotonic());
  const header = new Headers(call.header);
  const request = clone(method.input, create(method.input, call.input));
  const send = (leftMs = timeoutMs) => once(method, signal, leftMs, header, request, contextValues); // it makes copies
  const waits = credentials.wait() !== undefined;
  const { generation } = credentials;
  try {
    return await send();
  } catch (error) {
    // Who has waited for new credentials was refused with those.
    if (waits || !driver.rules.canRefresh || login !== host.login || !isUnauthenticated(error)) throw error;
    const luck = luckOf(credentials, driver.rules);
    if (generation === credentials.generation) {
      const underway = credentials.wait() !== undefined;
      if (luck.quietUntil > clock.monotonic() || (!underway && luck.heldMs(clock.monotonic()) > 0)) throw error;
      await renewal(call, deadline, host);
      if (generation === credentials.generation) {
        blame(luck, clock);
        throw error;
      }
    }
    try {
      const response = await send(deadline === undefined ? timeoutMs : Math.max(1, deadline - clock.monotonic()));
      luck.vain = 0;
      return response;
    } catch (again) {
      if (isUnauthenticated(again)) blame(luck, clock);
      throw again;
    }
  }
}

/** The refresh that is on its way, or else a new one, is over. Rejects where the call's own time is over before. */
function renewal(
  call: UnaryCall,
  deadline: number | undefined,
  { credentials, host: { clock } }: RetryHost,
): Promise<void> {
  const life = new AbortController();
  const answered = async () => {
    if (!credentials.wait()) credentials.ask().catch(() => {}); // the session tells of it
    for (let wait = credentials.wait(); wait; wait = credentials.wait()) await wait;
  };
  return new Promise<void>((resolve, reject) => {
    heed(call, deadline, clock, life.signal, { stop: (_, error) => reject(error) });
    answered().then(resolve, reject);
  }).finally(() => life.abort());
}

function luckOf(credentials: object, { rateLimit }: Rules): Luck {
  const luck = lucks.get(credentials) ?? { vain: 0, quietUntil: 0, heldMs: createBudget(rateLimit) };
  lucks.set(credentials, luck);
  return luck;
}

function blame(luck: Luck, clock: Clock): void {
  luck.quietUntil = clock.monotonic() + Math.min(maxMs, initialMs * 2 ** luck.vain);
  luck.vain++;
}

function isUnauthenticated(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated;
}
