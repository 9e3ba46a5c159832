import type { Awaitable, Store } from "../../src/server/index.js";

/** A store whose questions and answers are under way for a while each, as if it were elsewhere. */
export function createSlowStore(store: Store, pause: () => Promise<unknown>): Store {
  const slowly =
    <A extends unknown[], R>(ask: (...args: A) => Awaitable<R>) =>
    async (...args: A): Promise<R> => {
      await pause();
      const answer = await ask(...args);
      await pause();
      return answer;
    };
  return {
    record: slowly(store.record),
    restrict: slowly(store.restrict),
    restrictions: slowly(store.restrictions),
    consume: slowly(store.consume),
    lift: slowly(store.lift),
    epoch: slowly(store.epoch),
    login: slowly(store.login),
    logout: slowly(store.logout),
    take: slowly(store.take),
    subscribe: store.subscribe,
  };
}

/** Numbers in [0, 1) that are the same in each run (Numerical Recipes' generator). */
export function createChance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Waits for a random number of microtasks, and at times for turns of the event loop. */
export function createPause(chance: () => number): () => Promise<void> {
  return async () => {
    for (let left = Math.floor(chance() * 8); left > 0; left--) await undefined;
    if (chance() < 0.2) await new Promise((resolve) => setImmediate(resolve));
  };
}
