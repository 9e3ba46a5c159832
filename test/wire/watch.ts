import { createClient } from "@connectrpc/connect";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import type { Evidence } from "../../src/disconnect/classify.js";
import type { Link } from "./clients.js";

/** How a raw Connect stream ended: what the classifier is given, and the messages that came before. */
export interface Sighting {
  readonly evidence: Evidence;
  readonly ids: readonly number[];
}

/** Reads a subscription to its end. */
export async function watch({ transport, connection }: Link): Promise<Sighting> {
  const ids: number[] = [];
  let header: Headers | undefined;
  let trailer = new Headers();
  const stream = createClient(ChatService, transport).subscribe(
    { room: "lobby" },
    {
      onHeader: (received) => {
        header = received;
      },
      onTrailer: (received) => {
        trailer = received;
      },
    },
  );
  try {
    for await (const { id } of stream) ids.push(id);
    return { evidence: { trailer, header, endless: true }, ids };
  } catch (error) {
    return { evidence: { error, connection: connection(), header }, ids };
  }
}
