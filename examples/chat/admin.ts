import { Code, ConnectError } from "@connectrpc/connect";
import { disconnectOf } from "farewell";
import { run, UsageError, usage } from "./admin-commands.js";

// Drives the admin service of a running server.ts from a second terminal.
//
// Run: npm run build:examples && node examples/dist/chat/admin.js list
// --url, --token: the server and its ADMIN_TOKEN, by default CHAT_URL or port 8080, and ADMIN_TOKEN or "letmein".
// Exits with 1 where the server refuses, or is not there, and with 2 where the command is wrong.

try {
  await run(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${usage}`);
    process.exitCode = 2;
  } else if (error instanceof ConnectError) {
    const what = disconnectOf(error)?.reason === "network" ? "not reached" : "refused";
    console.error(`${what}: ${error.rawMessage} (${Code[error.code]})`);
    process.exitCode = 1;
  } else {
    throw error;
  }
}
