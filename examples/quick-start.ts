import { createClient, createSession, disconnectOf, method } from "farewell";
import { nodeTransport } from "farewell/node";
import { startChatServer } from "./chat-server.js";
import { ChatService } from "./gen/chat/v1/chat_pb.js";

// Run: npm run build:examples && node examples/dist/quick-start.js

const { baseUrl, close } = await startChatServer(12);

const session = createSession(nodeTransport({ baseUrl }), {
  methods: [
    method(ChatService.method.subscribe, {
      endless: true,
      resume: (request, last) => ({ ...request, afterId: last.id }),
      position: (message) => message.id,
    }),
  ],
});
session.onKicked(({ message }) => console.log(`You were put out: ${message}`));
session.on("reconnecting", ({ afterMs, why }) => console.log(`Back in ${Math.round(afterMs)} ms: ${why}`));

const chat = createClient(ChatService, session);
try {
  for await (const { text } of chat.subscribe({ room: "lobby" })) console.log(text);
} catch (error) {
  if (!disconnectOf(error)) throw error; // what ended the stream for good was told above
}

close();
