import { invalid, objectOf, oneOf } from "./invalid.js";

/**
 * Checks words that came from outside before they are taken for a server's.
 *
 * @throws TypeError that names the field
 */
export function checkWords(option: string, words: object, reasons: readonly string[]): void {
  const { reason, message, localized, code, by, until, retryAt, reserved } = objectOf(option, words);
  oneOf(`${option}.reason`, reason, reasons);
  for (const [field, text] of Object.entries({ message, code, by })) {
    if (text !== undefined && typeof text !== "string") throw invalid(`${option}.${field}`, text, "a string");
  }
  if (localized !== undefined) {
    const { locale, message } = objectOf(`${option}.localized`, localized, ["locale", "message"]);
    for (const [field, text] of Object.entries({ locale, message })) {
      if (typeof text !== "string") throw invalid(`${option}.localized.${field}`, text, "a string");
    }
  }
  if (reserved !== undefined && typeof reserved !== "boolean") {
    throw invalid(`${option}.reserved`, reserved, "true or false");
  }
  for (const [field, time] of Object.entries({ until, retryAt })) checkTime(`${option}.${field}`, time);
}

/** @throws TypeError that names the option, where it is no time that a google.protobuf.Timestamp can hold. */
export function checkTime(option: string, time: unknown): void {
  const year = time instanceof Date ? time.getUTCFullYear() : Number.NaN;
  if (time !== undefined && !(year >= 1 && year <= 9999)) throw invalid(option, time, "a Date in the years 1 to 9999");
}
