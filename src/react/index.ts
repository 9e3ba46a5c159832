"use client";

export type { Following, OpenStream } from "./stream-store.js";
export { useDisconnect } from "./use-disconnect.js";
export { useSession } from "./use-session.js";
export { useStream } from "./use-stream.js";
