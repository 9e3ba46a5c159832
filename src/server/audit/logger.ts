import { textFrom } from "../../disconnect/border.js";
import { guarded } from "../../ports/guarded.js";
import { loggable } from "./loggable.js";

/** The part of a pino logger that is used. Nothing secret is logged: no headers, no tokens, no bodies. */
export interface Logger {
  debug(fields: object, message: string): unknown;
  info(fields: object, message: string): unknown;
  warn(fields: object, message: string): unknown;
  error(fields: object, message: string): unknown;
}

/** A logger that fails, at once or later, must not keep a verdict from being carried out. */
export function safeLogger(logger: Logger | undefined, reportError: (error: unknown) => void): Logger {
  const at = (level: keyof Logger) => (fields: object, message: string) => {
    if (logger) void guarded(() => logger[level](loggable(fields) as object, textFrom(message)), reportError);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
