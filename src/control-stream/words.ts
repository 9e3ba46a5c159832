import { localizedFrom, textFrom } from "../disconnect/border.js";
import { detailsOf } from "../disconnect/details.js";
import type { DisconnectInit } from "../disconnect/disconnect.js";
import { wordsOf } from "../disconnect/spoken.js";
import type { OpenResponse_Notice, OpenResponse_Verdict } from "../gen/farewell/v1/control_stream_pb.js";
import { DisconnectSchema } from "../gen/farewell/v1/disconnect_pb.js";
import { LocalizedMessageSchema } from "../gen/google/rpc/error_details_pb.js";

/** The words of a message on the control stream, or `undefined` for a reason that this version does not know. */
export function wordsFrom(
  { disconnect, localized, message }: OpenResponse_Notice | OpenResponse_Verdict,
  now: number,
): DisconnectInit | undefined {
  const details = detailsOf([
    ...(disconnect ? [{ desc: DisconnectSchema, value: disconnect }] : []),
    ...(localized ? [{ desc: LocalizedMessageSchema, value: localized }] : []),
  ]);
  const { spoken, localized: text } = wordsOf(details, new Headers(), now);
  const { reason, fields } = spoken ?? {};
  const texts = { message: textFrom(message, true), localized: localizedFrom(text) };
  return reason && ({ ...fields, reason, ...texts } as DisconnectInit);
}
