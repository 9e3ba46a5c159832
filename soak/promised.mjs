/** A promise, and the functions that settle it: Node 20 has no `Promise.withResolvers`. */
export function promised() {
  const own = {};
  own.promise = new Promise((resolve, reject) => Object.assign(own, { resolve, reject }));
  return own;
}
