import { Agent } from "node:http";
import { describe, expect, test } from "vitest";
import { ChatService } from "../../examples/gen/chat/v1/chat_pb.js";
import { createClient } from "../../src/index.js";
import { type NodeTransportOptions, nodeTransport } from "../../src/node/index.js";

const baseUrl = "http://127.0.0.1:1";

describe("nodeTransport names what is wrong with its options:", () => {
  test.each<[unknown, string]>([
    [undefined, "options: expected an object, got undefined"],
    [{}, "baseUrl: expected a URL that begins with http: or https:, got undefined"],
    [{ baseUrl: "localhost:8080" }, 'baseUrl: expected a URL that begins with http: or https:, got "localhost:8080"'],
    [{ baseUrl, httpVersion: "3" }, 'httpVersion: expected "2" or "1.1", got "3"'],
    [{ baseUrl, protocol: "rest" }, 'protocol: expected "connect" or "grpc" or "grpc-web", got "rest"'],
    [
      { baseUrl, protocol: "grpc", httpVersion: "1.1" },
      'protocol over HTTP/1.1: expected "connect" or "grpc-web", got "grpc"',
    ],
    [{ baseUrl, pingIntervalMs: 0 }, "pingIntervalMs: expected a number from 1 to Infinity, got 0"],
    [{ baseUrl, connectTimeoutMs: Number.NaN }, "connectTimeoutMs: expected a number from 1 to Infinity, got NaN"],
    [{ baseUrl, maxConnections: 0 }, "maxConnections: expected a number of at least 1, got 0"],
    [
      { baseUrl, sessionManager: {} },
      "sessionManager: expected none, since nodeTransport makes its own connections, got {}",
    ],
  ])("%j", (options, message) => {
    expect(() => nodeTransport(options as NodeTransportOptions)).toThrow(new TypeError(message));
  });
});

test("a transport that nobody calls has no connection", () => {
  const transport = nodeTransport({ baseUrl, protocol: "grpc" });
  const { state, error, count } = transport.connection;
  expect([state(), error(), count()]).toEqual(["closed", undefined, 0]);
  transport.close();
});

test("a client takes the transport as it is, and hands it to its session", () => {
  const { $session } = createClient(ChatService, nodeTransport({ baseUrl }), { healthyAfterMs: 1_000 });
  expect($session.state.status).toBe("idle");
  $session.close();
});

test("an agent of the app's is used, and left open", () => {
  const agent = new Agent();
  let destroyed = false;
  agent.destroy = () => {
    destroyed = true;
  };
  const transport = nodeTransport({ baseUrl, httpVersion: "1.1", nodeOptions: { agent } });
  expect(transport.connection.state()).toBe("closed");
  transport.close();
  expect(destroyed).toBe(false);
});
