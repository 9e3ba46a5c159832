import { expect, test } from "vitest";
import * as all from "../src/check/index.js";
import * as production from "../src/check/production.js";

test("a production bundle has each check by the same name, with arguments that it can do without", () => {
  production satisfies typeof all;
  expect(Object.keys(production).sort()).toEqual(Object.keys(all).sort());
});
