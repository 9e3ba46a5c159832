import { createClient, createSession } from "farewell";
import { nodeTransport } from "farewell/node";
import { ChatService } from "../gen/chat/v1/chat_pb.js";

/** A client, ann: comes in, calls `inside` once it is greeted, and prints what it understands of its end. */
export async function visit(baseUrl: string, httpVersion: "1.1" | "2", inside: () => unknown): Promise<void> {
  const transport = nodeTransport({ baseUrl, httpVersion });
  const session = createSession(transport);
  session.onKicked(({ code, message }) => console.log(`understood: kicked, code ${code}, "${message}"`));
  session.on("ended", ({ why }) => console.log(`decided: end the session (${why})`));
  try {
    for await (const { text } of createClient(ChatService, session).subscribe(
      { room: "lobby" },
      { headers: { user: "ann" } },
    )) {
      console.log(text);
      await inside();
    }
  } catch (error) {
    if (session.state.status !== "ended") throw error; // what ended it was told above
  }
  transport.close();
}
