import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder = ""] =
  /^.*[/\\]connect-node(?=[/\\])/.exec(createRequire(import.meta.url).resolve("@connectrpc/connect-node")) ?? [];
const file = `${folder}/package.json`;
const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
const [major = 0, minor = 0] = version.split(".").map(Number);

/**
 * Connect 2.3 told what 2.1 left unsaid: its own client cancels when a loop is left, a stream that is closed without an
 * error and before its headers is an error, and an HTTP/1.1 server first reads what is left of a request.
 */
export const sinceConnect23: boolean = major > 2 || (major === 2 && minor >= 3);
