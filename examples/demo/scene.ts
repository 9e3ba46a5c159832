import type { ServerHttp2Stream } from "node:http2";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client, Interceptor } from "@connectrpc/connect";
import type { Disconnect, FarewellClient, SessionOptions } from "farewell";
import type { ChatService, Message, MessageSchema } from "../gen/chat/v1/chat_pb.js";
import type { ServerProcess, Traffic } from "./server-process.js";

/** One way in which a stream can end: the server's side, the client's side, and what must come of it. */
export interface Scene {
  /** Also the name of the room that the client subscribes to. */
  readonly name: string;
  readonly title: string;
  readonly story: string;
  /** Runs in the server's process, once for each subscription. */
  serve(visit: Visit): AsyncIterable<MessageInitShape<typeof MessageSchema>>;
  /** Runs in the client's process. Answers with what was decided; throws where that is not what it should be. */
  play(stage: Stage): Promise<string>;
}

/** One subscription, as the server sees it. */
export interface Visit {
  /** Which subscription to this room it is, from 1. A restarted server counts anew. */
  readonly number: number;
  readonly afterId: number;
  readonly header: Headers;
  /** Aborted when the stream is over. */
  readonly signal: AbortSignal;
  /** The stream below all protocols, for a server that wants to be rude. */
  readonly stream: ServerHttp2Stream;
  /** When the history of the rooms began; epoch ms. It survives the server's process, as in a database. */
  readonly since: number;
  /** A line in the timeline. */
  log(text: string): void;
}

/** What a scene has at hand on the client's side. */
export interface Stage {
  readonly server: ServerProcess;
  /** A session of its own, over a connection of its own. What it understands and decides is printed. */
  connect(options?: SessionOptions, as?: string, interceptors?: Interceptor[]): FarewellClient<typeof ChatService>;
  /** Connect's own client, with no session around it. Its calls are counted, but not printed. */
  bare(): Client<typeof ChatService>;
  /** Reads to the stream's end, or until `enough`. Throws what is not a disconnect; closing counts as enough. */
  read(stream: AsyncIterable<Message>, enough?: (ids: readonly number[]) => boolean): Promise<Reading>;
  /** What reached the server since the scene began, by the server's own count. */
  traffic(): Promise<Traffic>;
  /** A line in the timeline. */
  log(text: string): void;
}

export interface Reading {
  readonly ids: readonly number[];
  /** Why it ended; `undefined` where there were `enough`. */
  readonly end: Disconnect | undefined;
}
