import { expect, test } from "vitest";
import { systemClock } from "../../../src/ports/clock.js";
import { createBouncer, memoryStore } from "../../../src/server/index.js";

// Whatever is wrong with an option is told by its name.

const identify = () => undefined;
const nowhere = () => {};

test.each([
  [undefined, /^options: expected an object, got undefined/],
  [{}, /^identify: expected a function, got undefined/],
  [{ identify: "ann" }, /^identify: expected a function, got "ann"/],
  [{ identify, idle: 1 }, /^options\.idle: unknown; expected one of identify/],
  [{ identify, store: null }, /^store\.record: expected a function/],
  [{ identify, store: { ...memoryStore(), lift: undefined } }, /^store\.lift: expected a function/],
  [{ identify, logger: null }, /^logger\.debug: expected a function/],
  [{ identify, logger: { debug: nowhere, info: nowhere, warn: nowhere } }, /^logger\.error: expected a function/],
  [{ identify, forceAfterMs: -1 }, /^forceAfterMs: expected a number of at least 0, got -1/],
  [{ identify, rememberMs: "10m" }, /^rememberMs: expected a number of at least 0, got "10m"/],
  [{ identify, releaseWithinMs: 0 }, /^releaseWithinMs: expected a number of at least 1, got 0/],
  [{ identify, limit: -1 }, /^limit: expected a whole number of at least 0, or Infinity/],
  [{ identify, logins: 1 }, /^logins: expected an object, got 1/],
  [{ identify, logins: {} }, /^logins\.max: expected a whole number of at least 1, got undefined/],
  [{ identify, logins: { max: 1.5 } }, /^logins\.max: /],
  [{ identify, logins: { max: 1, whenFull: "ask" } }, /^logins\.whenFull: expected "newest-wins" or "oldest-wins"/],
  [{ identify, logins: { max: 1, when: "full" } }, /^logins\.when: unknown/],
  [{ identify, rateLimits: 5 }, /^rateLimits: expected an object/],
  [{ identify, rateLimits: { perIp: {} } }, /^rateLimits\.perIp: unknown/],
  [{ identify, rateLimits: { perUser: { burst: 0, perMs: 1 } } }, /^rateLimits\.perUser\.burst: expected a number/],
  [{ identify, rateLimits: { perAddress: { burst: 1 } } }, /^rateLimits\.perAddress\.perMs: expected a number/],
  [{ identify, admission: [] }, /^admission: expected an object/],
  [
    { identify, admission: { acceptPerSecond: 0 } },
    /^admission\.acceptPerSecond: expected a number of at least 0.001, got 0/,
  ],
  [{ identify, admission: { windowMs: 3_600_001 } }, /^admission\.windowMs: expected a number from 0 to 3600000/],
  [{ identify, admission: { window: 1 } }, /^admission\.window: unknown/],
  [{ identify, identifyTimeoutMs: 0 }, /^identifyTimeoutMs: expected a number from 1 to 2147483647, got 0/],
  [{ identify, clockSkewMs: -1 }, /^clockSkewMs: expected a number of at least 0/],
  [{ identify, heartbeatMs: 9 }, /^heartbeatMs: expected a number of at least 10/],
  [{ identify, clock: { ...systemClock, random: undefined } }, /^clock\.random: expected a function/],
  [{ identify, reportError: "log" }, /^reportError: expected a function, got "log"/],
])("createBouncer refuses %j by the option's name", (options, message) => {
  expect(() => createBouncer(options as never)).toThrow(TypeError);
  expect(() => createBouncer(options as never)).toThrow(message);
});

test.each([
  [null, /^options: expected an object/],
  [{ rememberMs: 1 }, /^options\.rememberMs: unknown/],
  [{ rememberLoginsMs: -1 }, /^options\.rememberLoginsMs: expected a number of at least 0/],
])("memoryStore refuses %j by the option's name", (options, message) => {
  expect(() => memoryStore(options as never)).toThrow(message);
});
