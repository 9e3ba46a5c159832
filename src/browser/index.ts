export { type BrowserOptions, browser } from "./browser.js";
export { type PageOptions, pageEnvironment } from "./page-environment.js";
export { type TabMemoryOptions, tabMemory } from "./tab-memory.js";
