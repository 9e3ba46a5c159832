import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type Bouncer, channels, type OutcomeMessage } from "farewell/server";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** A bouncer, as Prometheus sees it. Reasons and endings are small sets, fit for labels. Users are not. */
export function metricsOf(bouncer: Bouncer): { readonly registry: Registry; close(): void } {
  const registry = new Registry();
  const registers = [registry];

  new Gauge({
    name: "farewell_inside",
    help: "Who is inside now",
    labelNames: ["kind"],
    registers,
    collect() {
      for (const [kind, count] of Object.entries(bouncer.stats().inside)) this.set({ kind }, count);
    },
  });
  new Gauge({
    name: "farewell_draining",
    help: "1 while newcomers are refused because the server goes away",
    registers,
    collect() {
      this.set(bouncer.stats().draining ? 1 : 0);
    },
  });
  new Gauge({
    name: "farewell_drain_inside",
    help: "Streams that the last drain has still to end",
    registers,
    collect() {
      this.set(bouncer.stats().drain?.inside ?? 0);
    },
  });
  counter("farewell_admitted_total", "Streams that were let in", () => [[{}, bouncer.stats().admitted]]);
  labelled("farewell_verdicts_total", "Decisions about clients", "reason", () => bouncer.stats().verdicts);
  labelled("farewell_refusals_total", "Newcomers that were refused", "reason", () => bouncer.stats().refusals);
  labelled("farewell_endings_total", "Streams that were put out, by how", "ending", () => bouncer.stats().endings);

  // What the counters do not tell: how long it takes.
  const duration = new Histogram({
    name: "farewell_eviction_seconds",
    help: "From a decision to the end of the last stream that it meant",
    labelNames: ["reason"],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  });
  const observe = (message: unknown) => {
    const { bouncer: name, verdict, report } = message as OutcomeMessage;
    if (name !== bouncer.name) return; // there may be another one in this process
    const { reason } = verdict.words;
    if (report.matched > 0) duration.observe({ reason }, (Date.now() - verdict.at.getTime()) / 1_000);
  };
  subscribe(channels.outcome, observe);
  return { registry, close: () => void unsubscribe(channels.outcome, observe) };

  function labelled(name: string, help: string, label: string, counts: () => Readonly<Record<string, number>>): void {
    counter(name, help, () => Object.entries(counts()).map(([value, count]) => [{ [label]: value }, count]), label);
  }

  /** The bouncer counts by itself: this one only reads. */
  function counter(
    name: string,
    help: string,
    read: () => readonly (readonly [Record<string, string>, number])[],
    ...labelNames: readonly string[]
  ): void {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers,
      collect() {
        this.reset();
        for (const [labels, count] of read()) this.inc(labels, count);
      },
    });
  }
}
