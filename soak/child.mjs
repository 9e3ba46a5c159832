import { guard } from "./guard.mjs";
import { measure } from "./meters.mjs";

/** The child's end of the line to the orchestrator, for process.mjs. `orders`: what it can be asked to do. */
export function answer(orders) {
  const all = { ...orders, measure };
  process.on("message", async ({ id, order, args }) => {
    try {
      send({ id, answer: await all[order](args) });
    } catch (error) {
      send({ id, error: `${order}: ${error?.stack ?? error}` });
    }
  });
}

/** Something that must not be. */
export const violation = (what) => send({ violation: what });
/** Something to know where a run fails. */
export const note = (what) => send({ note: what });

/** What the process was started with. */
export const config = JSON.parse(process.argv[2]);

function send(message) {
  if (process.connected) process.send(message, () => {}); // who is gone hears nothing
}

guard(violation);
process.on("SIGINT", () => {}); // Ctrl-C: the orchestrator ends its children itself
process.on("disconnect", () => {
  setTimeout(() => process.exit(9), config.exitWithinMs).unref(); // what still runs by then is a leak
});
