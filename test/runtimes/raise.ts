import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { classify, createClient, createSession, type Evidence, method, type Reason } from "farewell";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import type { Link } from "../wire/clients.js";
import type { Ending } from "../wire/endings/ending.js";
import { watch } from "../wire/watch.js";

/** What one client notices of one act. */
export interface Seen {
  readonly outcome: Ending["outcome"];
  readonly reason: Reason | undefined;
  /** The error in the runtime's own words. */
  readonly words: string;
  /** How often a session told that its stream has ended, and the verdicts that it told. */
  readonly finals: number;
  readonly verdicts: readonly Reason[];
}

/** Raises an act twice: for Connect's own client, and for a session whose policies all say "stop". */
export async function raise(
  linkTo: (address: string) => Link,
  addressOf: () => Promise<string>,
  patienceMs: number,
): Promise<Seen> {
  const impatient = new AbortController();
  const given = sleep(patienceMs, undefined, { signal: impatient.signal }).catch(() => undefined);
  const bare = await Promise.race([watch(linkTo(await addressOf())), given]);
  impatient.abort();
  const told = await tellingOf(linkTo(await addressOf()), patienceMs);
  if (!bare) return { outcome: "hangs", reason: undefined, words: "", ...told };
  const { evidence } = bare;
  const outcome = "error" in evidence ? "throws" : "ends";
  return { outcome, reason: classify(evidence)?.reason, words: wordsOf(evidence), ...told };
}

async function tellingOf({ transport, connection }: Link, patienceMs: number) {
  using session = createSession(transport, {
    connection: { state: () => connection() ?? "open" },
    headersTimeoutMs: patienceMs,
    methods: [method(ChatService.method.subscribe, { endless: true, idleTimeoutMs: patienceMs })],
    policies: { network: "stop", aborted: "stop", maintenance: "stop", throttled: "stop", unauthenticated: "stop" },
  });
  let finals = 0;
  const verdicts: Reason[] = [];
  session.on("streamEnded", () => void finals++);
  for (const type of ["kicked", "banned", "superseded"] as const) session.on(type, () => void verdicts.push(type));
  try {
    for await (const _ of createClient(ChatService, session).subscribe({ room: "lobby" }));
  } catch {} // classified above
  return { finals, verdicts };
}

function wordsOf(evidence: Evidence): string {
  if (!("error" in evidence)) return "";
  const { error, connection } = evidence;
  const own = error instanceof ConnectError ? `${Code[error.code]} ${error.rawMessage}` : String(error);
  return [own, ...causesOf(error), ...(connection ? [`connection ${connection}`] : [])].join(" < ");
}

function causesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error) || !(error.cause instanceof Error)) return [];
  const { cause } = error;
  return ["code" in cause ? `${cause} (${cause.code})` : String(cause), ...causesOf(cause)];
}
