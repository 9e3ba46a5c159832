import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { AdminService } from "farewell/server";

type Admin = Client<typeof AdminService>;
type Stream = Awaited<ReturnType<Admin["list"]>>["streams"][number];
type Outcome = NonNullable<Awaited<ReturnType<Admin["kick"]>>["outcome"]>;

/** Who is inside, in columns. */
export function streamTable(streams: readonly Stream[], now: number = Date.now()): string {
  const rows = streams.map(({ id, user = "-", session, tags, method, peer = "-", since }) => [
    id,
    user,
    tags.join(",") || "-",
    method.replace(/^.*\.(?=\w+\/)/, ""), // without the package
    session?.slice(0, 8) ?? "-",
    peer,
    since ? `${Math.max(0, Math.round((now - timestampMs(since)) / 1_000))} s` : "-",
  ]);
  const users = new Set(streams.map(({ user }) => user)).size;
  const total = `${plural(streams.length, "stream")}, ${plural(users, "user")}`;
  return [...aligned([["ID", "USER", "TAGS", "METHOD", "SESSION", "PEER", "FOR"], ...rows]), total].join("\n");
}

/** What has come of a verdict, without what did not happen. */
export function outcomeLine(what: string, outcome: Outcome | undefined): string {
  const { matched = 0, told = 0, forced = 0, left = 0, failed = 0 } = outcome ?? {};
  const parts = Object.entries({ told, forced, left, failed }).filter(([, count]) => count > 0);
  return [`${what}: ${plural(matched, "stream")}`, ...parts.map(([ending, count]) => `${count} ${ending}`)].join(", ");
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
