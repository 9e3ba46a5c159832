export {
  type Disconnect as DisconnectDetail,
  DisconnectSchema,
} from "../gen/farewell/v1/disconnect_pb.js";
export {
  type ErrorInfo,
  ErrorInfoSchema,
  type LocalizedMessage,
  LocalizedMessageSchema,
  type RetryInfo,
  RetryInfoSchema,
} from "../gen/google/rpc/error_details_pb.js";
export { toConnectError } from "./to-connect-error.js";
