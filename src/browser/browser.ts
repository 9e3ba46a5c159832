import { objectOf } from "../check/invalid.js";
import type { Environment } from "../ports/environment.js";
import type { Memory } from "../session/memory.js";
import { type PageOptions, pageEnvironment, pageOptions } from "./page-environment.js";
import { memoryOptions, type TabMemoryOptions, tabMemory } from "./tab-memory.js";

/** Without an `account` nothing is remembered. */
export type BrowserOptions = PageOptions & Partial<TabMemoryOptions>;

/** Two options of `createSession`. */
export interface Browser {
  readonly environment: Environment;
  readonly memory?: Memory;
}

/**
 * What a session in a web page needs, to be spread into the options of `createSession`: `pageEnvironment`, and
 * `tabMemory` where there is an `account`. On a server it does nothing.
 *
 * @throws TypeError that names the option
 * @example
 * const session = createSession(transport, { ...browser({ account: user.id }) });
 */
export function browser(options: BrowserOptions = {}): Browser {
  objectOf("options", options, [...memoryOptions, ...pageOptions]);
  const { account, coolDownMs, rememberMs, reportError, clock, hiddenAfterMs, asleepAfterMs } = options;
  const environment = pageEnvironment({ hiddenAfterMs, asleepAfterMs, clock });
  if (account === undefined) return { environment };
  return { environment, memory: tabMemory({ account, coolDownMs, rememberMs, reportError, clock }) };
}
