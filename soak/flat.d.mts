export function isFlat(
  samples: readonly number[],
  slack?: number,
): { readonly judged: boolean; readonly flat: boolean; readonly ratio: number | undefined };
