import type { DescMessage, DescMethodUnary } from "@bufbuild/protobuf";
import { checkUnary } from "#check";
import { methodName } from "../stream/method-name.js";
import type { RetriedEntry } from "./retried-entry.js";

/**
 * Says that a unary method is part of signing in, such as what `refresh` calls on the session itself. Its calls wait for no
 * refresh and start none, and what the server says to them does not end the session.
 *
 * @throws TypeError that names the method
 * @example
 * createSession(transport, { refresh, methods: [signsIn(AuthService.method.renew)] });
 */
export function signsIn<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>): RetriedEntry {
  checkUnary(method);
  const name = methodName(method);
  return { method, madeBy: "signsIn()", covers: (other) => methodName(other) === name, retry: undefined };
}
