import type { Clock } from "../session/extension.js";

/** A name for a login: random, so that nobody else can claim it. */
export function newSessionName({ random }: Clock): string {
  // React Native has no crypto of its own.
  const bytes =
    globalThis.crypto?.getRandomValues(new Uint8Array(16)) ?? Uint8Array.from({ length: 16 }, () => random() * 256);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
