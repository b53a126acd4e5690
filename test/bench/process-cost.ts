/** What a process and all its descendants cost: CPU seconds and proportional memory, by the kernel's own account. */
import { readdirSync, readFileSync } from "node:fs";

// sysconf(_SC_CLK_TCK) is 100 on every Linux of today.
const TICKS_PER_SECOND = 100;

/** User and system time of the trees, seconds. Ended children are not counted: the targets start none while measured. */
export function cpuSeconds(roots: readonly number[]): number {
  const ticks = descendants(roots).map((pid) => {
    const fields = statFields(pid);
    return Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0);
  });
  return ticks.reduce((sum, value) => sum + value, 0) / TICKS_PER_SECOND;
}

/** Proportional set size (smaps_rollup) of the trees, MB: shared pages are divided among all who share them. */
export function memoryMB(roots: readonly number[]): number {
  const kilobytes = descendants(roots).map((pid) => {
    const text = readIfThere(`/proc/${pid}/smaps_rollup`);
    return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
  });
  return kilobytes.reduce((sum, value) => sum + value, 0) / 1024;
}

/** Ends the trees with SIGKILL: where the root alone is killed, its children would live on. */
export function killTrees(roots: readonly number[]): void {
  for (const pid of descendants(roots)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended meanwhile.
    }
  }
}

/** The roots and all below them. */
export function descendants(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const parent = Number(statFields(Number(name))?.[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  function tree(pid: number): number[] {
    return [pid, ...(children.get(pid) ?? []).flatMap(tree)];
  }
  return roots.flatMap(tree);
}

/** Fields of /proc/PID/stat from the third ("state") on: the second may hold spaces. */
function statFields(pid: number): readonly string[] | undefined {
  const text = readIfThere(`/proc/${pid}/stat`);
  return text === "" ? undefined : text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** "" where it is gone: of a process that ended meanwhile. */
export function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
