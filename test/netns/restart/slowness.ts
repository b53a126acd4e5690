/** How much longer than by its CPU time does a program take on this machine now? */
import { spawnSync } from "node:child_process";

const RUNS = 3;
/** Some 50 ms of CPU. */
const PROGRAM =
  "let sum = 0; for (let i = 0; i < 2e7; i += 1) sum += i; process.cpuUsage(); process.stdout.write(JSON.stringify(process.cpuUsage()))";

/** 1 where it has a CPU to itself. */
export function measureSlowness(): number {
  let wallMs = 0;
  let cpuMs = 0;
  for (let i = 0; i < RUNS; i += 1) {
    const startedMs = performance.now();
    const { stdout } = spawnSync(process.execPath, ["-e", PROGRAM], { encoding: "utf8" });
    wallMs += performance.now() - startedMs;
    const { user, system } = JSON.parse(stdout) as NodeJS.CpuUsage;
    cpuMs += (user + system) / 1000;
  }
  return Math.max(1, wallMs / cpuMs);
}
