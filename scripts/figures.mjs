// How large the parts of src/ are: npm run figures [-- folder]. Generated code does not count.
import { Visitor, visitorKeys } from "oxc-parser";
import { readSources } from "./sources.mjs";

const [root = "."] = process.argv.slice(2);
const sources = readSources(root, "src").filter(({ path }) => !path.startsWith("src/gen/"));
const functions = sources.flatMap(functionsOf).sort((a, b) => b.lines - a.lines);
const files = sources.toSorted((a, b) => b.lines - a.lines);
const lets = sources.flatMap(capturedLets);
const long = functions.filter(({ lines }) => lines > 100);

print("files", `${files.length}, of ${sum(files)} lines; the median has ${files[files.length >> 1].lines}`);
print("longest file", `${files[0].lines} lines: ${files[0].path}`);
print("longest function", describe(functions[0]));
print("functions over 100 lines", long.length);
for (const one of long) print("", describe(one));
print("lets that a closure assigns", lets.length);
for (const path of new Set(lets.map((one) => one.path))) {
  const names = lets.filter((one) => one.path === path).map(({ name }) => name);
  print("", `${names.length} in ${path}: ${names.join(", ")}`);
}

/** Every function with its lines, the ones within others, too. */
function functionsOf({ path, program, lineOf }) {
  const found = [];
  const names = new Map(); // of functions that a variable or a property names
  const note = (node) => {
    const [first, last] = [lineOf(node.start), lineOf(node.end)];
    found.push({ path, name: node.id?.name ?? names.get(node) ?? "(no name)", line: first, lines: last - first + 1 });
  };
  new Visitor({
    VariableDeclarator: ({ id, init }) => init && names.set(init, id.name),
    Property: ({ key, value }) => names.set(value, key.name),
    MethodDefinition: ({ key, value }) => names.set(value, key.name),
    FunctionDeclaration: note,
    FunctionExpression: note,
    ArrowFunctionExpression: note,
  }).visit(program);
  return found;
}

/** Every `let` of a function that a function within it assigns: state that only a reader of the whole closure can see. */
function capturedLets({ path, program, lineOf }) {
  const captured = new Map();
  walk(program, [{ names: new Map(), depth: 0 }]);
  return [...captured.values()];

  function walk(node, scopes) {
    for (const each of Array.isArray(node) ? node : []) walk(each, scopes);
    if (typeof node?.type !== "string") return;
    if (node.type === "AssignmentExpression") assigned(node.left, scopes);
    if (node.type === "UpdateExpression") assigned(node.argument, scopes);
    if (
      (node.type === "ForInStatement" || node.type === "ForOfStatement") &&
      node.left.type !== "VariableDeclaration"
    ) {
      assigned(node.left, scopes);
    }
    const inner = opensScope(node) ? [...scopes, scopeOf(node, scopes.at(-1).depth)] : scopes;
    for (const key of visitorKeys[node.type] ?? []) walk(node[key], inner);
  }

  function assigned(target, scopes) {
    for (const name of namesOf(target)) {
      const scope = scopes.findLast(({ names }) => names.has(name));
      const declared = scope?.names.get(name);
      if (declared?.isLet && scope.depth > 0 && scope.depth < scopes.at(-1).depth) {
        captured.set(declared.node, { path, name, line: lineOf(declared.node.start) });
      }
    }
  }
}

function isFunction({ type }) {
  return type === "FunctionDeclaration" || type === "FunctionExpression" || type === "ArrowFunctionExpression";
}

function opensScope(node) {
  return (
    isFunction(node) || /^(BlockStatement|For\w*Statement|SwitchStatement|CatchClause|StaticBlock)$/.test(node.type)
  );
}

/** What a node declares for the code within it, and in how many functions that is. */
function scopeOf(node, outerDepth) {
  const names = new Map();
  const declare = (pattern, isLet) => {
    for (const name of namesOf(pattern)) names.set(name, { isLet, node: pattern });
  };
  for (const parameter of isFunction(node) ? node.params : []) declare(parameter, false);
  if (node.type === "CatchClause" && node.param) declare(node.param, false);
  const statements = [node.body, node.init, node.left, ...(node.cases ?? []).flatMap((each) => each.consequent)].flat();
  for (const statement of statements) {
    if (statement?.type === "VariableDeclaration") {
      for (const { id } of statement.declarations) declare(id, statement.kind === "let");
    } else if (statement?.type === "FunctionDeclaration" || statement?.type === "ClassDeclaration") {
      declare(statement.id, false);
    }
  }
  return { names, depth: outerDepth + (isFunction(node) ? 1 : 0) };
}

/** The names that a pattern declares or assigns. */
function namesOf(pattern) {
  switch (pattern?.type) {
    case "Identifier":
      return [pattern.name];
    case "ArrayPattern":
      return pattern.elements.flatMap(namesOf);
    case "ObjectPattern":
      return pattern.properties.flatMap((each) => namesOf(each.value ?? each));
    case "AssignmentPattern":
      return namesOf(pattern.left);
    case "RestElement":
      return namesOf(pattern.argument);
    default:
      return []; // a member of an object, or nothing at all
  }
}

function describe({ lines, name, path, line }) {
  return `${lines} lines: ${name}, ${path}:${line}`;
}

function sum(files) {
  return files.reduce((total, { lines }) => total + lines, 0);
}

function print(label, value) {
  console.log(`${label.padEnd(28)} ${value}`);
}
