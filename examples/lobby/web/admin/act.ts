import type { Client } from "@connectrpc/connect";
import type { AdminService } from "farewell/admin";

/** Does something, and says at the top of the page what has come of it. */
export type Act = (work: () => Promise<string>) => Promise<void>;

type Outcome = Awaited<ReturnType<Client<typeof AdminService>["kick"]>>["outcome"];

/** What has come of a verdict, in words. */
export function inWords(what: string, outcome: Outcome): string {
  const { told = 0, forced = 0, left = 0, failed = 0 } = outcome ?? {};
  const parts = Object.entries({ told, forced, left, failed }).filter(([, count]) => count > 0);
  return `${what}: ${parts.map(([ending, count]) => `${count} ${ending}`).join(", ") || "nobody was inside"}`;
}
