import { expect, test, vi } from "vitest";
import { type DrainOnReport, drainOn, type Signal } from "../../../src/server/index.js";
import { someOf } from "../../runs.js";
import { leaveNothing, patience } from "../../wire/leave-nothing.js";
import { login } from "./guest.js";
import { pairs, startGuardedServer } from "./servers.js";

// That an answer was handed to Connect is not that it has left. Only sockets can show it.

const own = leaveNothing();
const signal: Signal = "SIGUSR2"; // which nothing else in this process listens to

test.each(someOf(pairs, 4))(
  "through %s, to %s, a unary call at a signal is answered, though all is cut right after the drain",
  async (mount, client) => {
    const answers: (() => void)[] = [];
    const server = own(
      await startGuardedServer(mount, {
        methods: {
          async say() {
            await new Promise<void>((resolve) => answers.push(resolve));
            return { id: 7 };
          },
        },
      }),
    );
    const { chat } = login(own, server, client);
    const call = chat.say({});
    await vi.waitFor(() => expect(answers).toHaveLength(1), patience);
    const reports: DrainOnReport[] = [];
    const off = drainOn([signal], server.bouncer, {
      onDrained(report) {
        reports.push(report);
        return server.close(); // as the end of the process would
      },
    });
    process.emit(signal, signal);
    off();
    await expect(chat.say({})).rejects.toThrow("[unavailable]"); // refused, which is safe to repeat
    expect(reports).toEqual([]);
    answers[0]?.();
    expect(await call).toMatchObject({ id: 7 });
    await vi.waitFor(() => expect(reports).toMatchObject([{ calls: { finished: 1, unfinished: 0 } }]), patience);
  },
);
