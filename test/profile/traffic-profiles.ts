/**
 * Node proxies whose processes write a CPU and a heap profile when they end, and the files of the traffic ones.
 *
 * The flags are in the environment of the node proxies that are started here and nowhere else: one that is installed
 * opens no inspector, on no signal (core/process/seal.ts).
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { descendants } from "../bench/process-cost.ts";
import type { NodeProxyExtras } from "../world/mesh.ts";
import type { Program } from "../world/program.ts";
import { until } from "../world/until.ts";

/** Until a process that ends has written what it has seen. */
const WRITTEN_MS = 60_000;

export interface ProfileFiles {
  /** One for each thread; more than one with workers. */
  readonly cpu: readonly string[];
  readonly heap: readonly string[];
}

export function profiled(folder: string): NodeProxyExtras {
  const flags = ["--cpu-prof", "--heap-prof"].flatMap((flag) => [flag, `${flag}-dir=${folder}`]);
  return { env: { NODE_OPTIONS: flags.join(" ") } };
}

/** Of a keeper and what it started. */
export function trafficPid({ name, child }: Program): number {
  const pid = descendants([child.pid ?? 0]).find((one) => {
    const [, ...args] = readFileSync(`/proc/${one}/cmdline`, "utf8").split("\0");
    return args.some((argument) => argument.endsWith("/traffic-main.ts"));
  });
  if (pid === undefined) throw new Error(`${name} has no traffic process`);
  return pid;
}

/** Ends the node proxy at once, with whatever connections it has: they are in the heap's profile. */
export async function endProfiled(
  { name, child }: Program,
  pid: number,
  folder: string,
): Promise<ProfileFiles> {
  // The keeper hands it on and starts nothing again; a second one ends traffic without draining.
  child.kill("SIGTERM");
  await until(
    `traffic of ${name} to end`,
    () => {
      try {
        process.kill(pid, "SIGTERM");
        return undefined;
      } catch {
        return true;
      }
    },
    WRITTEN_MS,
  );
  return { cpu: filesOf(folder, pid, ".cpuprofile"), heap: filesOf(folder, pid, ".heapprofile") };
}

/** Node names them KIND.DATE.TIME.PID.THREAD.NUMBER.ENDING. */
function filesOf(folder: string, pid: number, ending: string): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(ending) && file.split(".")[3] === String(pid))
    .toSorted()
    .map((file) => join(folder, file));
}
