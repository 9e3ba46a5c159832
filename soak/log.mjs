const kept = 100;

/** What happens, for who has to find out why: the last hundred events, and all violations. */
export function createLog(verbose) {
  const startedAt = performance.now();
  const events = [];
  const violations = [];
  const line = (text) => `${((performance.now() - startedAt) / 1_000).toFixed(2).padStart(8)} ${text}`;

  function add(text) {
    const told = line(text);
    events.push(told);
    if (events.length > kept) events.shift();
    if (verbose) console.log(told);
  }

  function violation(text) {
    violations.push(line(text));
    add(`VIOLATION ${text}`);
    if (!verbose && violations.length <= 20) console.error(line(`VIOLATION ${text}`));
  }

  return {
    add,
    violation,
    /** What a process of the soak says. What libraries print is no violation. */
    told(who, { violation: found, note, output }) {
      if (found) violation(`${who}: ${found}`);
      else if (note) add(`${who}: ${note}`);
      else if (output && verbose) console.log(line(`${who} prints: ${output}`));
    },
    events,
    violations,
  };
}
