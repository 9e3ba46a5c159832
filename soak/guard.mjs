import { format } from "node:util";

/** What no process of a soak may do: each is told to the one that watches over them. */
export function guard(violation) {
  process.on("warning", (warning) => violation(`warning: ${format(warning)}`));
  process.on("uncaughtException", (error) => violation(`uncaught exception: ${format(error)}`));
  process.on("unhandledRejection", (error) => violation(`unhandled rejection: ${format(error)}`));
}
