import { sinceConnect23 } from "../connect-version.js";
import type { End, Script } from "../script.js";
import { type Answer, type Ending, h2, hangs, settledMs, stages, throws } from "./ending.js";

/** RST_STREAM. A bare reset never says why: no code may become `kicked` or `banned`. */
export function resets(): readonly Ending[] {
  const reasonsOf = (code: number): readonly Answer[] => {
    if (code === 7) return ["network"]; // REFUSED_STREAM: never processed
    if (code === 11) return ["throttled"]; // ENHANCE_YOUR_CALM
    if (code === 12 || code === 13) return [undefined]; // INADEQUATE_SECURITY, HTTP_1_1_REQUIRED: for good
    return ["aborted"];
  };
  const codes = [...Array.from({ length: 15 }, (_, code) => code), 0xffff_ffff];
  return codes.flatMap((code) =>
    stages.map((at) => {
      const script: Script = { at, end: { kind: "rst", code } };
      return code === 0 && at === "before-headers" && !sinceConnect23
        ? hangs("RST 0", script, h2)
        : throws(`RST ${code}`, script, h2, reasonsOf(code));
    }),
  );
}

export function goaways(): readonly Ending[] {
  const row = (name: string, at: Script["at"], end: End | readonly End[], reasons: readonly Answer[]) =>
    throws(name, { at, end }, h2, reasons);
  const unclear = ["network", "aborted"] as const;
  const goaway = (code: number, last: "this" | "none" | "max", then?: "fin" | "tcp-rst", debug = ""): End => ({
    kind: "goaway",
    code,
    last,
    debug,
    ...(then && { then }),
  });
  const later = (then: End): readonly End[] => [goaway(0, "this"), { kind: "pause", ms: settledMs }, then];
  const atEveryStage = stages.flatMap((at) => [
    row("GOAWAY 0 for other streams, then FIN", at, goaway(0, "this", "fin"), ["network"]),
    row("GOAWAY 0 for this stream too", at, goaway(0, "none"), ["network"]),
    row("GOAWAY 0 for this stream too, then FIN", at, goaway(0, "none", "fin"), ["network"]),
    row("GOAWAY 0, then RST 8, then FIN", at, [goaway(0, "this"), { kind: "rst", code: 8 }, { kind: "fin" }], unclear),
    row("GOAWAY 2, then FIN", at, goaway(2, "max", "fin"), ["network"]),
    row("GOAWAY 2, then TCP RST", at, goaway(2, "max", "tcp-rst"), ["network"]),
    row("GOAWAY 11 too_many_pings", at, goaway(11, "this", undefined, "too_many_pings"), ["throttled"]),
    row("GOAWAY 11 too_many_pings, then FIN", at, goaway(11, "max", "fin", "too_many_pings"), ["throttled"]),
    ...[1, 3, 7, 8].map((code) => row(`GOAWAY ${code}`, at, goaway(code, "this"), unclear)),
    row("GOAWAY 13", at, goaway(13, "this"), [undefined, "network", "aborted"]),
  ]);
  return [
    ...atEveryStage,
    ...stages.map((at) => {
      const end = later({ kind: "tcp-rst" });
      return at === "before-headers" && !sinceConnect23
        ? hangs("GOAWAY 0, later TCP RST", { at, end }, h2)
        : row("GOAWAY 0, later TCP RST", at, end, unclear);
    }),
  ];
}
