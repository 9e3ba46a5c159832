export { toConnectError } from "./to-connect-error.js";
