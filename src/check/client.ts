import { invalid } from "./invalid.js";

/**
 * What `createClient` gets. `given`: a session.
 *
 * @throws TypeError that names the argument
 */
export function checkClient(
  service: { readonly methods: Iterable<unknown> },
  given: boolean,
  options: object | undefined,
): void {
  if (typeof service?.methods?.[Symbol.iterator] !== "function")
    throw invalid("service", service, "a generated service");
  if (given && options !== undefined) throw new TypeError("options: a session has its own; expected none beside it");
}
