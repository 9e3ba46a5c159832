// Of each session, on its way to the transport: what goes out, and whether it may.

/**
 * Counts the probes of a session, and what else it opens. A probe stands for all streams; no more than `burst` may go out
 * at once, and `burst` more in `perMs`, except at times that the server has reserved.
 */
export function createBudget({ burst, perMs }, complain) {
  const probes = [];
  let reserved = [];
  const recent = (times) => times.filter((at) => at > performance.now() - perMs);

  return {
    reserved: () => void reserved.push(performance.now()),
    /** An attempt leaves while the session has this state. */
    leaves(status, method) {
      if (status === "ended" || status === "closed") complain(`${method} goes out, though the session is ${status}`);
      if (status !== "probing") return;
      probes.push(performance.now());
      while (probes[0] < performance.now() - perMs) probes.shift();
      reserved = recent(reserved);
      const most = 2 * burst + reserved.length;
      if (probes.length > most) complain(`${probes.length} probes within ${perMs} ms, where ${most} are allowed`);
    },
  };
}

/** Puts a budget before a transport. Control streams and unary calls are no probes. */
export function counted(transport, budget, statusOf) {
  return {
    unary: (...call) => transport.unary(...call),
    stream(...call) {
      const [{ name }] = call;
      const status = statusOf();
      budget.leaves(name === "Open" && status === "probing" ? "healthy" : status, name);
      return transport.stream(...call);
    },
  };
}
