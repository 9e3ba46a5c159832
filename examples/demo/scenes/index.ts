import type { Scene } from "../scene.js";
import { abort } from "./abort.js";
import { ban } from "./ban.js";
import { flap } from "./flap.js";
import { kick } from "./kick.js";
import { login } from "./login.js";
import { maintenance } from "./maintenance.js";
import { resume } from "./resume.js";
import { throttle } from "./throttle.js";
import { token } from "./token.js";

/** In the order in which they are played. */
export const scenes: readonly Scene[] = [kick, abort, ban, login, maintenance, throttle, token, resume, flap];
