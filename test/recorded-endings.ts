import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, LocalizedMessageSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import fixture from "./fixtures/endings.json" with { type: "json" };

// Every distinct error that Connect clients raised when a scripted server ended a stream, with the reasons that a right
// classifier may give. Recorded, so that it runs without a network; test/wire raises most of them anew.

export const { endings } = fixture;

type Recorded = (typeof fixture.endings)[number];

/** The details as the scripted server sent them: the recording kept their types. The domain is not ours. */
const details: Record<string, Uint8Array> = {
  "google.rpc.ErrorInfo": toBinary(
    ErrorInfoSchema,
    create(ErrorInfoSchema, { reason: "PLAYER_BANNED", domain: "game.example.com", metadata: { until: "never" } }),
  ),
  "google.rpc.RetryInfo": toBinary(
    RetryInfoSchema,
    create(RetryInfoSchema, { retryDelay: { seconds: 30n, nanos: 0 } }),
  ),
  "google.rpc.LocalizedMessage": toBinary(
    LocalizedMessageSchema,
    create(LocalizedMessageSchema, { locale: "de-CH", message: "Gesperrt" }),
  ),
};

function causeOf(recorded: Recorded["error"]["cause"]): unknown {
  if (recorded === null) return undefined;
  const { name, code, message, causeCode } = recorded;
  if (name === "String") return message;
  const error = name === "TypeError" ? new TypeError(message) : new Error(message);
  error.name = name;
  if (code !== null) Object.assign(error, { code });
  if (causeCode !== null) error.cause = Object.assign(new Error(causeCode), { code: causeCode });
  return error;
}

/** The error as the client raised it. */
export function errorOf({ error }: Recorded): unknown {
  if (error.code === null) return undefined; // the process ended instead of the stream
  const code = Code[error.code as keyof typeof Code];
  const made = new ConnectError(
    error.rawMessage,
    code,
    error.metadata as Record<string, string>,
    [],
    causeOf(error.cause),
  );
  made.details = error.detailTypes.map((type) => ({ type, value: details[type] ?? new Uint8Array() }));
  return made;
}
