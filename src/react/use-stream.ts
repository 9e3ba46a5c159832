import { useEffect, useState, useSyncExternalStore } from "react";
import { expected, functionIn } from "#check";
import { createStreamStore, type Following, type OpenStream, type Reduce } from "./stream-store.js";

/**
 * Follows one server stream for as long as the component is mounted. `value` is the last message, of many that came at
 * once only the very last; with `reduce` and a `start` value it is what `reduce` has made of all of them.
 *
 * Other `deps` cancel the stream and open another, from the start value: name there what `open` depends on, as for
 * `useEffect`. Objects that are made anew for each render are refused by React ("Too many re-renders"), because each
 * message would open the stream again. `reduce` need not be named: the one of the last render counts.
 *
 * Nothing is opened on a server, nor before the component is mounted. A stream that has failed stays so until other
 * `deps` or `again()`, also after `session.restart()`.
 *
 * @throws TypeError that names the argument
 * @example
 * const { value, status } = useStream((signal) => chat.subscribe({ room }, { signal }), [room]);
 * @example
 * const { value: messages } = useStream(
 *   (signal) => chat.subscribe({ room }, { signal }),
 *   [room],
 *   (messages, message) => [...messages, message].slice(-200),
 *   [] as readonly Message[],
 * );
 */
export function useStream<M>(open: OpenStream<M>, deps: readonly unknown[]): Following<M, undefined>;
export function useStream<M, V>(
  open: OpenStream<M>,
  deps: readonly unknown[],
  reduce: (value: V, message: M) => V,
  start: V,
): Following<V>;
export function useStream<M, V>(
  open: OpenStream<M>,
  deps: readonly unknown[],
  reduce: Reduce<M, V> = last as Reduce<M, V>,
  start?: V,
): Following<V | undefined> {
  functionIn("open", open);
  functionIn("reduce", reduce);
  expected(Array.isArray(deps), "deps", deps, "an array");
  const make = () => ({ deps, store: createStreamStore(open, reduce, start as V) });
  // State, not a memo: React may forget a memo, and with it all that has come.
  const [kept, keep] = useState(make);
  let { store } = kept;
  if (deps.length !== kept.deps.length || deps.some((dep, index) => !Object.is(dep, kept.deps[index]))) {
    const next = make();
    keep(next);
    store = next.store;
  }
  useEffect(() => store.use(open, reduce));
  return useSyncExternalStore(store.subscribe, store.current, store.pending);
}

function last<M>(_: unknown, message: M): M {
  return message;
}
