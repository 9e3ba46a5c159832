import { brokenResponses, lostConnections, silences } from "./endings/connections.js";
import type { Ending } from "./endings/ending.js";
import { httpResponses } from "./endings/http.js";
import { goaways, resets } from "./endings/http2.js";
import { malformedStatuses } from "./endings/malformed.js";
import { statuses, statusesThenLoss, statusesWithWords } from "./endings/statuses.js";

/** Every way in which a server can end a call, what each client notices of it, and the reasons it may be given. */
export const endings: readonly Ending[] = [
  ...statuses(),
  ...statusesWithWords(),
  ...statusesThenLoss(),
  ...malformedStatuses(),
  ...resets(),
  ...goaways(),
  ...lostConnections(),
  ...brokenResponses(),
  ...httpResponses(),
  ...silences(),
];
