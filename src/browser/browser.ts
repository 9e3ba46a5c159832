import { objectOf } from "#check";
import type { Extension } from "../session/extension.js";
import { type PageOptions, pageEnvironment, pageOptions } from "./page-environment.js";
import { memoryOptions, type TabMemoryOptions, tabMemory } from "./tab-memory.js";

/** Without an `account` nothing is remembered. */
export type BrowserOptions = PageOptions & Partial<TabMemoryOptions>;

/**
 * What a session in a web page needs: `pageEnvironment`, and `tabMemory` where there is an `account`. On a server it does
 * nothing.
 *
 * @throws TypeError that names the option
 * @example
 * const session = createSession(transport, { extensions: [browser({ account: user.id })] });
 */
export function browser(options: BrowserOptions = {}): Extension {
  objectOf("options", options, [...memoryOptions, ...pageOptions]);
  const { account, coolDownMs, rememberMs, reportError, hiddenAfterMs, asleepAfterMs } = options;
  const page = pageEnvironment({ hiddenAfterMs, asleepAfterMs });
  if (account === undefined) return page;
  const tabs = tabMemory({ account, coolDownMs, rememberMs, reportError });
  return (session) => {
    const [ofPage, ofTabs] = [page(session), tabs(session)];
    return { ...ofPage, ...ofTabs, watch: both(ofPage.watch, ofTabs.watch) };
  };
}

type Watch = (() => () => void) | undefined;

function both(first: Watch, second: Watch): () => () => void {
  return () => {
    const removals = [first?.(), second?.()];
    return () => {
      for (const remove of removals) remove?.();
    };
  };
}
