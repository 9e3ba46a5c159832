import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

let cpuBefore = process.cpuUsage();
let measuredAt = performance.now();

/** What a process holds, after collection, and the share of a core that it has used since it was measured last. */
export async function measure() {
  for (let round = 0; round < 4; round++) {
    globalThis.gc();
    await sleep(20); // what is collected may set free more
  }
  const cpu = process.cpuUsage(cpuBefore);
  const now = performance.now();
  const share = (cpu.user + cpu.system) / 1_000 / (now - measuredAt);
  cpuBefore = process.cpuUsage();
  measuredAt = now;
  const resources = process.getActiveResourcesInfo();
  return {
    heap: process.memoryUsage().heapUsed,
    descriptors: descriptors(),
    timers: resources.filter((name) => name === "Timeout" || name === "Immediate").length,
    resources: resources.length,
    cpu: Math.round(share * 100),
  };
}

function descriptors() {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0; // not on this system
  }
}
