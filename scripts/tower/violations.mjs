// What of a tree is not as the plan has it.

/**
 * Each breach as `{ kind, where, what }`, in order of the files:
 *
 * - `circle`: files that import each other, however long the way round; once for each knot of files
 * - `arrow`: an import that does not run down: up, to a room beside, or to a room that is not this one's to know
 * - `face`: an import of a file that its room keeps to itself
 * - `room`: a file in no room of the plan
 */
export function violations({ paths, imports }, plan) {
  const homeless = paths
    .filter((path) => homeOf(path, plan) === undefined)
    .map((path) => ({ kind: "room", where: path, what: "is in no room of scripts/tower/plan.mjs" }));
  const crossing = imports.flatMap((one) => {
    const what = judge(one, plan);
    return what === undefined ? [] : [{ ...what, where: `${one.from}:${one.line}` }];
  });
  return [...homeless, ...circles(paths, imports), ...crossing];
}

/** The rooms that a file is in, from the outermost: each with its floor; undefined if the plan has none for it. */
function homeOf(path, plan) {
  const names = path
    .replace(/\.tsx?$/, "")
    .split("/")
    .slice(1);
  const home = [];
  for (let rooms = plan; rooms !== undefined; rooms = home.at(-1).room.rooms) {
    const floor = rooms.findIndex((floor) => floor.some(({ name }) => name === names[home.length]));
    const room = rooms[floor]?.find(({ name }) => name === names[home.length]);
    if (room === undefined) return undefined;
    home.push({ room, floor, file: names.slice(home.length + 1).join("/") });
  }
  return home;
}

function judge({ from, to }, plan) {
  const [here, there] = [homeOf(from, plan), homeOf(to, plan)];
  if (here === undefined || there === undefined) return undefined; // told already
  const fork = here.findIndex(({ room }, depth) => room !== there[depth]?.room);
  if (fork < 0) return undefined; // one and the same room
  const [mine, its] = [here[fork], there[fork]];
  const arrow = `${nameOf(here, fork)} → ${nameOf(there, fork)}`;
  if (its.floor > mine.floor) return { kind: "arrow", what: `runs back up: ${arrow} (${to})` };
  if (its.floor === mine.floor) return { kind: "arrow", what: `runs to a room beside: ${arrow} (${to})` };
  if (mine.room.everything) return undefined;
  const { knows } = mine.room;
  if (knows !== undefined && !knows.includes(its.room.name) && !knows.includes(`${its.room.name}/${its.file}`)) {
    return { kind: "arrow", what: `is not its to know: ${arrow} (${to})` };
  }
  const closed = there.slice(fork).find(({ room, file }) => file !== "" && room.face && !room.face.includes(file));
  return closed && { kind: "face", what: `goes past the face of ${closed.room.name}: ${to}` };
}

function nameOf(home, fork) {
  return home
    .slice(0, fork + 1)
    .map(({ room }) => room.name)
    .join("/");
}

/** One shortest way round for each set of files that reach each other. */
function circles(paths, imports) {
  const next = new Map(paths.map((path) => [path, []]));
  for (const { from, to } of imports) next.get(from).push(to);
  const told = new Set();
  const found = [];
  for (const start of paths) {
    if (told.has(start)) continue;
    const way = wayRound(start, next);
    if (way === undefined) continue;
    for (const path of paths) if (reaches(start, path, next) && reaches(path, start, next)) told.add(path);
    found.push({ kind: "circle", where: start, what: `comes back to itself: ${way.join(" → ")}` });
  }
  return found;
}

function wayRound(start, next) {
  const before = search(start, next);
  if (!before.has(start)) return undefined;
  const way = [start];
  do way.unshift(before.get(way[0]));
  while (way[0] !== start);
  return way;
}

function reaches(start, end, next) {
  return search(start, next).has(end);
}

/** Breadth first: for each file that can be reached, the one before it on a shortest way. */
function search(start, next) {
  const before = new Map();
  const queue = [start];
  for (const path of queue) {
    for (const to of next.get(path)) {
      if (before.has(to)) continue;
      before.set(to, path);
      queue.push(to);
    }
  }
  return before;
}
