/** How often does something run in a second of CPU? All threads count: what the collector and the compiler take is part of the price. */

const ROUNDS = 9;
const ROUND_MS = 400;

/** Median over rounds, rounded to whole ones. `run` does it once. */
export async function perCpuSecond(run: (i: number) => unknown): Promise<number> {
  const rates: number[] = [];
  // The first round is for the compiler.
  for (let round = 0; round <= ROUNDS; round += 1) rates.push(await oneRound(run));
  const measured = rates.slice(1).toSorted((a, b) => a - b);
  return Math.round(measured[Math.floor(ROUNDS / 2)] ?? 0);
}

async function oneRound(run: (i: number) => unknown): Promise<number> {
  const cpu = process.cpuUsage();
  const until = performance.now() + ROUND_MS;
  let times = 0;
  for (; performance.now() < until; times += 1) await run(times);
  const { user, system } = process.cpuUsage(cpu);
  return (times * 1_000_000) / (user + system);
}
