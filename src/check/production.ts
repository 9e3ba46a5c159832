// What "#check" is in a production bundle for a browser. Options are literals in an app's code, and were checked in
// development; what a wrong number could do is bounded where a wait is scheduled, and in the rate limit. Words may have
// come from a server. Declared functions, not arrows: esbuild leaves out the calls of empty ones.

export function checkClient(): void {}
export function checkDecision(): void {}
export function checkListener(): void {}
export function checkMethod(): void {}
export function checkPosition(): void {}
export function checkRequest(): void {}
export function checkRetried(): void {}
export function checkRetryOptions(): void {}
export function checkSession(): void {}
export function checkTime(): void {}
export function checkUnary(): void {}
export function expected(): void {}
export function functionIn(): void {}
export function functionOr(): void {}
export function numberIn(): void {}
export function objectOf(): void {}

/** @throws TypeError for a reason that nothing is known about. */
export function checkWords(option: string, words: { readonly reason?: unknown }, reasons: readonly unknown[]): void {
  if (!reasons.includes(words.reason)) throw new TypeError(`${option}.reason`);
}
