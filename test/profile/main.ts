/**
 * `npm run profile -- [--out DIR] [--seconds N] [--open N]`: CPU and heap profiles of both traffic processes under the bench's load.
 *
 * Prints the folder; Chrome's developer tools and VS Code open the files. Says nothing of what weft costs beside others.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bulkFrom } from "../bench/bulk-server.ts";
import { openIdle } from "../bench/idle-connections.ts";
import { type Bench, isolated } from "../bench/isolated.ts";
import { warmUp, wrk } from "../bench/load.ts";
import type { BenchSetting, RunningTarget } from "../bench/target.ts";
import { loadOf, underTarget } from "../bench/under-target.ts";
import { weftTarget } from "../bench/weft-target.ts";
import { type CpuProfile, cutProfile, selfTimes } from "./cpu-profile.ts";
import { endProfiled, type ProfileFiles, profiled, trafficPid } from "./traffic-profiles.ts";

const LISTED = 12;
/** As the programs stand in the list of the node proxies. */
const SIDES = ["client", "server"] as const;

interface Phase {
  readonly name: string;
  readonly fromUs: number;
  readonly toUs: number;
}

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    seconds: { type: "string", default: "6" },
    // Connections beside the load, which are still open when the heap is looked at.
    open: { type: "string", default: "1000" },
  },
});
const seconds = Number(values.seconds);
process.exit(await isolated(profile));

async function profile(bench: Bench): Promise<number> {
  const out = values.out ? resolve(values.out) : mkdtempSync(join(tmpdir(), "weft-profile-"));
  const raw = join(bench.folder, "profiles");
  mkdirSync(out, { recursive: true });
  mkdirSync(raw);
  await underTarget(weftTarget(profiled(raw)), bench, async (running, setting) => {
    const pids = running.programs.map(trafficPid);
    const connections = await openIdle(loadOf(setting), Number(values.open));
    const phases = await load(setting, bench);
    const files = await endAll(running, pids, raw);
    for (const [i, side] of SIDES.entries()) keep(join(out, side), files[i], phases);
    await connections.close();
  });
  console.log(out);
  return 0;
}

/** One load after the other, as the bench has them. */
async function load(setting: BenchSetting, { fortioProgram }: Bench): Promise<readonly Phase[]> {
  const target = loadOf(setting);
  const loads: Readonly<Record<string, () => Promise<number>>> = {
    keepalive: () => wrk(target, { connections: 64, seconds, newConnections: false }),
    "new-connections": () => wrk(target, { connections: 32, seconds, newConnections: true }),
    bulk: () => bulkFrom(setting, seconds),
  };
  await warmUp(target, fortioProgram);
  const phases: Phase[] = [];
  for (const [name, run] of Object.entries(loads)) {
    console.error(`${name}, ${seconds} s`);
    const fromUs = nowUs();
    await run();
    phases.push({ name, fromUs, toUs: nowUs() });
  }
  return phases;
}

/** Of CLOCK_MONOTONIC, as in V8's profiles. */
function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

async function endAll(
  { programs }: RunningTarget,
  pids: readonly number[],
  folder: string,
): Promise<readonly ProfileFiles[]> {
  return Promise.all(programs.map((program, i) => endProfiled(program, pids[i] ?? 0, folder)));
}

/** The heap as it was at the end, the CPU's in one file for each load. `path` is all but the end of their names. */
function keep(path: string, files: ProfileFiles | undefined, phases: readonly Phase[]): void {
  if (!files?.cpu.length || !files.heap.length) throw new Error(`${path}: no profile was written`);
  for (const [thread, file] of files.heap.entries()) {
    copyFileSync(file, `${path}${threadName(thread)}.heapprofile`);
  }
  for (const [thread, file] of files.cpu.entries()) {
    const whole = JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
    for (const { name, fromUs, toUs } of phases) {
      const cut = cutProfile(whole, fromUs, toUs);
      const cutFile = `${path}${threadName(thread)}.${name}.cpuprofile`;
      writeFileSync(cutFile, JSON.stringify(cut));
      tell(basename(cutFile), cut);
    }
  }
}

function threadName(index: number): string {
  return index === 0 ? "" : `-thread-${index}`;
}

function tell(title: string, part: CpuProfile): void {
  const lines = selfTimes(part)
    .slice(0, LISTED)
    .map(({ name, percent }) => `${percent.toFixed(1).padStart(5)} % ${name}`);
  console.error([`\n${title}, where its time went, by function:`, ...lines].join("\n"));
}
