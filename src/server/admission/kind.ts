import type { StreamRequest } from "@connectrpc/connect";
import { ControlStreamService } from "../../gen/farewell/v1/control_stream_pb.js";

/** Control streams come beside other streams, and have budgets of their own. */
export type Kind = "stream" | "control-stream";

export function kindOf({ service }: StreamRequest): Kind {
  return service.typeName === ControlStreamService.typeName ? "control-stream" : "stream";
}
