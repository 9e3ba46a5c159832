import { note } from "../child.mjs";

const sayName = "chat.v1.ChatService/Say"; // one that is retried is followed like a stream

/**
 * Listens to everything that a session tells. `reserved` and `reset` are called for a time that the server has reserved, and for a
 * stream that the server counts anew. Returns what looks at the end whether each stream has had its one last event.
 */
export function listenTo(session, who, complain, { reserved, reset }) {
  const finals = new Map(); // stream id to how often it has ended
  const known = ({ id }) => finals.has(id) || finals.set(id, 0);

  for (const type of ["streamOpened", "streamLost", "streamReopened"]) {
    session.on(type, ({ stream }) => {
      known(stream);
      if (finals.get(stream.id) > 0) complain(`${type} of ${stream.name} after its last event`);
    });
  }
  session.on("streamEnded", ({ stream, outcome, why }) => {
    known(stream);
    finals.set(stream.id, finals.get(stream.id) + 1);
    if (finals.get(stream.id) > 1) complain(`a second last event of ${stream.name}: ${outcome}`);
    if (outcome !== "canceled" && stream.name !== sayName)
      note(`${who}: streamEnded ${stream.name} ${outcome}: ${why}`);
  });
  session.on("streamGap", (gap) => {
    if (gap.reset) reset(gap.stream);
    else complain(`streamGap of ${gap.stream.name}: ${gap.missed} missed`);
  });
  session.on("reconnecting", ({ disconnect, attempt, afterMs, why }) => {
    if (disconnect.reserved) reserved();
    if (attempt % 5 === 0) note(`${who}: reconnecting, attempt ${attempt} in ${Math.round(afterMs)} ms: ${why}`);
  });
  session.on("ended", ({ disconnect, why }) => note(`${who}: ended, ${disconnect.reason}: ${why}`));

  return () => {
    for (const [id, count] of finals) if (count !== 1) complain(`stream ${id} has had ${count} last events at the end`);
  };
}
