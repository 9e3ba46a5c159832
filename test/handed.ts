type Callback = (...args: never[]) => unknown;

/** The paths of all functions in what is handed in, but for what is `Opaque`: `""` for a function itself. */
export type In<T, Opaque> = T extends Opaque
  ? never
  : T extends Callback
    ? ""
    : T extends object
      ? { [K in keyof T & string]-?: `.${K}${In<NonNullable<T[K]>, Opaque>}` }[keyof T & string]
      : never;

/** All that can be handed to one of the functions, by the name of the function. */
export type HandedTo<M, Opaque> = {
  [N in keyof M & string]: M[N] extends (...args: infer A) => unknown ? `${N}${In<A[number], Opaque>}` : never;
}[keyof M & string];
