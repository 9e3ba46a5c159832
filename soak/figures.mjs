import { isFlat } from "./flat.mjs";

const slack = { heap: 0, descriptors: 5, timers: 10 };

/** What each process held at each calm, and whether that has come to rest. */
export function createFigures(log) {
  const series = new Map(); // process to its samples

  return {
    add(minute, house, { server, clients }, life) {
      for (const [who, sample] of Object.entries({ [`server ${life}`]: server, clients })) {
        const name = `${house} ${who}`;
        if (!series.has(name)) series.set(name, []);
        series.get(name).push(sample);
        const { heap, descriptors, timers, resources, cpu } = sample;
        console.log(
          `${minute.toFixed(1).padStart(5)} min ${name.padEnd(18)} heap ${(heap / 1e6).toFixed(2).padStart(7)} MB  ` +
            `descriptors ${String(descriptors).padStart(4)}  timers ${String(timers).padStart(4)}  ` +
            `resources ${String(resources).padStart(4)}  cpu ${String(cpu).padStart(3)} %`,
        );
      }
    },
    judge() {
      for (const [name, samples] of series) {
        for (const [what, allowed] of Object.entries(slack)) {
          const values = samples.map((sample) => sample[what]);
          const { judged, flat, ratio } = isFlat(values, allowed);
          if (judged) console.log(`${name}: ${what} of the last third is ${ratio.toFixed(3)} × the third before`);
          if (!flat) log.violation(`${name}: ${what} grows: ${values.join(", ")}`);
        }
      }
    },
  };
}
