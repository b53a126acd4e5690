/**
 * A branch of the memory cgroup tree (version 1 or 2) for one process of a test, whose memory the kernel then limits as a
 * container's. What the process had before it entered is counted where it was.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = "/sys/fs/cgroup";

export interface MemoryCgroup {
  enter(pid: number): void;
  limit(bytes: number): void;
  /** Processes that the kernel has ended here for want of memory. */
  readonly kills: number;
  /** Its processes have ended before. */
  remove(): void;
}

export function createMemoryCgroup(name: string): MemoryCgroup {
  const isUnified = existsSync(join(ROOT, "cgroup.controllers"));
  // A branch of version 2 has only what its parent passes on.
  if (isUnified) writeFileSync(join(ROOT, "cgroup.subtree_control"), "+memory");
  const folder = join(ROOT, isUnified ? "" : "memory", name);
  mkdirSync(folder);
  return {
    enter: (pid) => writeFileSync(join(folder, "cgroup.procs"), String(pid)),
    limit: (bytes) => {
      const file = isUnified ? "memory.max" : "memory.limit_in_bytes";
      writeFileSync(join(folder, file), String(bytes));
    },
    get kills() {
      const file = isUnified ? "memory.events" : "memory.oom_control";
      const [, kills] = /^oom_kill (\d+)$/m.exec(readFileSync(join(folder, file), "utf8")) ?? [];
      if (kills === undefined) throw new Error(`${folder}/${file} tells no oom_kill`);
      return Number(kills);
    },
    remove: () => rmdirSync(folder),
  };
}
