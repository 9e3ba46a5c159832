import type { Logger } from "../../../src/server/index.js";

/** One line of a log. */
export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: { readonly event?: string; readonly err?: unknown; readonly [name: string]: unknown };
}

/** A logger that keeps all that it is given. */
export function createLog(): { readonly logger: Logger; readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const to = (level: keyof Logger) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: fields as LogLine["fields"] });
  return { logger: { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") }, lines };
}
