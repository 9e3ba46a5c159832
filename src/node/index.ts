export { type NodeConnection, type NodeTransport, nodeTransport } from "./node-transport.js";
export type { Http1TransportOptions, Http2TransportOptions, NodeTransportOptions } from "./options.js";
