export interface Planned {
  readonly at: number;
  readonly what: string;
  readonly user?: string;
}
export const chaosMs: number;
export function phaseOf(
  seed: number,
  number: number,
  house: string,
  users: readonly string[],
  mortal: boolean,
): Planned[];
