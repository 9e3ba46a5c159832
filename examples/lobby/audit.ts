import type { Logger, Selector, Words } from "farewell/server";

/** What the bouncer has decided, for the timeline. */
export interface Decision {
  readonly at: Date;
  /** A reason, or "unbanned". */
  readonly what: string;
  readonly whom: string;
  readonly why: string;
  /** Until when, for a ban that ends. */
  readonly until: Date | undefined;
}

/** What the bouncer logs about a decision. */
type Fields = { readonly event?: string; readonly selector?: Selector; readonly by?: string } & Partial<Words>;

/** A logger of pino's shape that hands on what was decided, and prints what went wrong. */
export function audit(tell: (decision: Decision) => void): Logger {
  return {
    debug() {},
    info(fields: Fields) {
      const { event, selector, by, reason, message } = fields;
      const what = event === "verdict" ? reason : event === "lift" ? "unbanned" : undefined;
      if (what === undefined) return;
      const whom = selector?.user ?? "everybody";
      const why = [message, by && `by ${by}`].filter(Boolean).join(", ");
      tell({ at: new Date(), what, whom, why, until: "until" in fields ? fields.until : undefined });
    },
    warn: (fields, message) => console.error(message, fields),
    error: (fields, message) => console.error(message, fields),
  };
}
