const freshMs = 3_000;
const nobody = { streams: 0, controlStreams: 0, unknown: 0, idle: 0 };

/**
 * What is not as it ought to be, for each user and for the server as a whole: what the clients say beside what the server says,
 * and beside what was done to them. `undefined`: all is right.
 *
 * @param thorough control streams are back as well: one that failed is asked for again only after a minute or two
 */
export function faultsOf(server, clients, expectedOf, thorough) {
  const faults = new Map([["the server", server.fault]]);
  for (const [user, logins] of Object.entries(clients)) {
    const inside = server.users[user] ?? nobody;
    const wrong = faultsOfUser(logins, inside, expectedOf(user), thorough);
    const evidence = `It has ${JSON.stringify(logins)}, the server ${JSON.stringify(inside)}`;
    faults.set(user, wrong.length > 0 ? `${wrong.join(". ")}. ${evidence}` : undefined);
  }
  return faults;
}

function faultsOfUser(logins, inside, expected, thorough) {
  const faults = [];
  const alive = logins.filter(({ status }) => status !== "ended");
  for (const login of logins) {
    const fault = login.status === "ended" ? faultOfEnded(login, expected) : faultOfAlive(login);
    if (fault) faults.push(`${login.who} ${fault}`);
  }
  if (alive.length > 1) faults.push("two logins are inside");
  if (alive.length === 0 && expected?.usurped) faults.push("both logins have ended");
  if (alive.length > 0 && expected?.must) faults.push(`${expected.order} was carried out, and it is inside`);
  const streams = alive.flatMap((login) => login.streams.filter(({ open }) => open)).length;
  if (inside.streams !== streams) faults.push(`${streams} streams are open, and ${inside.streams} in the registry`);
  const controlStreams = alive.filter(({ controlled }) => controlled).length;
  if (inside.controlStreams > controlStreams || (thorough && inside.controlStreams < controlStreams)) {
    faults.push(`${controlStreams} control streams are due, and ${inside.controlStreams} in the registry`);
  }
  if (inside.unknown > 0) faults.push(`${inside.unknown} handlers run that are not in the registry`);
  if (inside.idle > 0) faults.push(`${inside.idle} streams are in the registry, and no handler runs`);
  return faults;
}

function faultOfAlive({ ready, status, streams }) {
  if (!ready) return "has not signed in";
  if (status !== "healthy") return `is ${status}`;
  if (streams.length < 4) return `has ${streams.length} streams`;
  const dead = streams.find(({ open, silentMs }) => !open || silentMs > freshMs);
  return (
    dead && `is healthy, and ${dead.room} is ${dead.open ? `silent for ${dead.silentMs} ms` : `over: ${dead.end}`}`
  );
}

function faultOfEnded({ reason, streams }, expected) {
  if (!expected?.reasons.includes(reason)) return `has ended with ${reason}, by nobody's order`;
  const other = streams.find(({ open, end }) => open || end !== reason);
  return other && `has ended with ${reason}, and ${other.room} ${other.open ? "goes on" : `with ${other.end}`}`;
}
