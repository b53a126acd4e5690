/** The processes of one node proxy: finds them by what they run, below its keeper, and what they may do. */
import { readFileSync } from "node:fs";
import type { Program } from "../../world/program.ts";
import { until } from "../../world/until.ts";
import type { TrafficRights } from "./outcome.ts";

export type Part = "control" | "traffic";

export function pidOf(keeper: Program, part: Part): number | undefined {
  return descendants(keeper.child.pid ?? 0).find((pid) => {
    const command = read(`/proc/${pid}/cmdline`).split("\0");
    // Before it runs Node, setpriv carries the same words behind its own.
    const isNode = command[0]?.endsWith("/node") ?? false;
    return isNode && command.some((word) => word.endsWith(`/${part}-main.ts`));
  });
}

/**
 * All at once, as the end of process 1 of a container does. Resolves once the kernel has closed what the last of them
 * had: until then their peers write to connections that look alive.
 */
export async function killTree(keeper: Program): Promise<void> {
  const root = keeper.child.pid ?? 0;
  const pids = [root, ...descendants(root)];
  for (const pid of pids) kill(pid);
  await until("the processes to be gone", () => pids.every(isGone) || undefined);
}

/** A zombie has nothing open any more, once its other threads are gone too: they share what it had. */
function isGone(pid: number): boolean {
  const [, state] = /^State:\s*(\S)/m.exec(read(`/proc/${pid}/status`)) ?? [];
  const [, threads] = /^Threads:\s*(\d+)/m.exec(read(`/proc/${pid}/status`)) ?? [];
  return state === undefined || ((state === "Z" || state === "X") && Number(threads ?? 0) <= 1);
}

/** One that died with its parent is as wanted. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(Error.isError(error) && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Bits of the capability sets in proc(5): linux/capability.h. */
const CAPABILITY_BITS: readonly (readonly [string, bigint])[] = [
  ["NET_ADMIN", 1n << 12n],
  ["NET_RAW", 1n << 13n],
  ["SYS_ADMIN", 1n << 21n],
];

/** As the kernel sees them: the union of what it has, could get back and could pass on. */
export function rightsOf(pid: number): TrafficRights {
  const status = new Map(
    read(`/proc/${pid}/status`)
      .split("\n")
      .map((line) => {
        const [name = "", text = ""] = line.split(/:\s*/);
        return [name, text.trim()] as const;
      }),
  );
  let all = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].reduce(
    (sum, set) => sum | BigInt(`0x${status.get(set) ?? "0"}`),
    0n,
  );
  const capabilities: string[] = [];
  for (const [name, bit] of CAPABILITY_BITS) {
    if ((all & bit) !== 0n) capabilities.push(name);
    all &= ~bit;
  }
  if (all !== 0n) capabilities.push(`others: ${all.toString(16)}`);
  return {
    user: [...new Set([...ids(status.get("Uid")), ...ids(status.get("Gid"))])].join(),
    groups: status.get("Groups") ?? "",
    capabilities,
    canGain: status.get("NoNewPrivs") !== "1",
  };
}

/** Real, effective, saved and file system. */
function ids(line = ""): readonly string[] {
  return line.split(/\s+/);
}

function descendants(pid: number): readonly number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** "" where the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
