// The tower: which room of src/ stands on which. To add a room, add its row here.

/**
 * A room is a folder, or a file without its ending.
 *
 * @typedef {object} Room
 * @property {string} name
 * @property {readonly string[]} [face] The files that other rooms may import; by default all.
 * @property {readonly string[]} [knows] What it may import, as `room` or `room/file`; by default each room below.
 * @property {boolean} [everything] It may import any file of any room below, past every face.
 * @property {Plan} [rooms] The rooms within it.
 *
 * @typedef {readonly (readonly Room[])[]} Plan Floors, the lowest first. Rooms on one floor do not know each other.
 */

// What anybody may use: names and numbers, without a session.
const vocabulary = ["ports", "check", "gen", "disconnect", "policy"];

/** @type {Plan} */
const server = [
  [{ name: "who" }],
  [{ name: "words" }],
  [{ name: "store" }],
  [{ name: "inside" }],
  [{ name: "audit" }],
  [{ name: "verdict" }],
  [{ name: "admission" }],
  [{ name: "drain" }],
  [{ name: "options" }],
  [{ name: "bouncer" }],
  [{ name: "services" }],
  [{ name: "index" }],
];

/** @type {Plan} */
export const plan = [
  [{ name: "ports" }],
  [{ name: "check" }],
  [{ name: "gen" }],
  [{ name: "disconnect" }],
  [{ name: "policy" }],
  [
    {
      name: "machine",
      face: [
        "state",
        "input",
        "effect",
        "events",
        "step",
        "wake-at",
        "visible",
        "outage",
        "lost",
        "refresh",
        "stream-label",
      ],
    },
  ],
  [{ name: "stream", face: ["stream", "host", "hooks", "method", "method-name", "promised"] }],
  [
    {
      name: "session",
      face: ["session", "extension", "retried", "reauthenticated", "signs-in", "refresh", "options", "types"],
    },
  ],
  [
    { name: "browser", knows: [...vocabulary, "session/extension"], face: [] },
    { name: "control-stream", knows: [...vocabulary, "session/extension"], face: [] },
    { name: "devtools", knows: [...vocabulary, "session/extension"], face: [] },
    { name: "node", knows: vocabulary, face: [] },
    {
      name: "react",
      knows: [...vocabulary, "machine/state", "stream/hooks", "session/session", "session/types"],
      face: [],
    },
    { name: "admin", knows: ["gen"], face: ["index"] },
    { name: "server", knows: vocabulary, face: [], rooms: server },
  ],
  [
    { name: "client", knows: [...vocabulary, "stream/hooks", "session"] },
    { name: "admin-ui", knows: ["ports", "check", "gen", "disconnect", "admin"], face: [] },
  ],
  [{ name: "index" }],
  [{ name: "testing", everything: true, face: [] }],
];
