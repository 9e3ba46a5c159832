import type { End } from "../script.js";
import { type Ending, every, h1, h2, hangs, stages, throws } from "./ending.js";

/** Bytes that are no answer, from something that is no such server. No reason but these may come of them. */
export function garbage(): readonly Ending[] {
  const unclear = [undefined, "aborted", "network"] as const;
  return Object.entries(strangers).flatMap(([name, text]) => {
    const end: readonly End[] = [{ kind: "raw", bytes: Buffer.from(text, "latin1") }, { kind: "fin" }];
    return [
      throws(name, { at: "on-connect", end }, every, unclear),
      ...stages.map((at) => throws(name, { at, end }, h1, unclear)),
      // Node's HTTP/2 gives the session up, and forgets to tell its streams. A header of a frame that is cut is no frame.
      ...stages.map((at) =>
        text.length < frameHeaderLength ? throws(name, { at, end }, h2, unclear) : hangs(name, { at, end }, h2),
      ),
    ];
  });
}

const frameHeaderLength = 9;

/** What else answers on ports. */
const strangers = {
  "a TLS alert": "\x15\x03\x03\x00\x02\x02\x50",
  "a page of HTTP/1.1": "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\nkicked",
  zeros: "\0".repeat(64),
};
