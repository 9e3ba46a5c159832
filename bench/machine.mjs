import { attemptAt } from "../dist/machine/lost.js";
import { begin } from "../dist/machine/state.js";
import { step } from "../dist/machine/step.js";
import { decide } from "../dist/policy/policy.js";
import { checkOptions } from "../dist/session/options.js";

const rules = { ...checkOptions({ stream() {} }, {}).rules, takesTurns: false }; // all defaults
const label = { id: 1, name: "chat.v1.ChatService/Subscribe" };

/** One session with one open stream, at 0: the package's own machine, without the world around it. */
export function sessionOfOne(windowMs) {
  let state = begin(rules, 0);
  const feed = (input, moment) => {
    ({ state } = step(state, input, rules, moment));
  };
  const start = { now: 0, random: 0 };
  feed({ type: "joined", stream: { label, reopenable: true, resumes: false }, pause: undefined }, start);
  feed({ type: "opened", stream: label.id, first: true }, start);
  feed({ type: "window", windowMs }, start);
  return {
    /** Its stream, or its attempt, is lost: when does it try again? */
    lost(disconnect, now, random) {
      const moment = { now, random };
      if (state.phase.status === "waiting") feed({ type: "woken" }, moment);
      const decision = decide(rules.policies, disconnect, attemptAt(state, label.id, disconnect, rules, moment));
      feed({ type: "lost", stream: label.id, disconnect, reopenable: true, decision }, moment);
      return state.phase.status === "waiting" ? state.phase.until : Number.POSITIVE_INFINITY;
    },
  };
}
