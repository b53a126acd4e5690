/**
 * Long-running programs of a cluster: started in their own session with a log file, and recorded by
 * pid and start time, so that whoever comes later (also after a crash of the one who started them)
 * ends exactly these and never a stranger who was given the same pid.
 */
import { spawn } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ClusterLayout } from "./cluster-layout.ts";

type DaemonDirs = Pick<ClusterLayout, "pidDir" | "logDir">;

interface DaemonRecord {
  readonly pid: number;
  /** Clock ticks since boot when the process began (proc_pid_stat(5), field 22). */
  readonly startTicks: string;
}

/** Starts `argv` and gives its pid. Its output goes to `<logDir>/<name>.log`. */
export function startDaemon(dirs: DaemonDirs, name: string, argv: readonly string[]): number {
  mkdirSync(dirs.pidDir, { recursive: true });
  mkdirSync(dirs.logDir, { recursive: true });
  const log = openSync(join(dirs.logDir, `${name}.log`), "a");
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) {
    throw new Error(`${program} could not be started: is it installed`);
  }
  child.unref();
  const record: DaemonRecord = { pid, startTicks: startTicksOf(pid) ?? "" };
  writeFileSync(join(dirs.pidDir, `${name}.json`), JSON.stringify(record));
  return pid;
}

/** The pid of the recorded daemon, undefined where it has ended. */
export function findDaemon(dirs: DaemonDirs, name: string): number | undefined {
  try {
    const record = JSON.parse(
      readFileSync(join(dirs.pidDir, `${name}.json`), "utf8"),
    ) as DaemonRecord;
    return startTicksOf(record.pid) === record.startTicks ? record.pid : undefined;
  } catch {
    return undefined;
  }
}

export function listDaemons(dirs: DaemonDirs): readonly string[] {
  try {
    return readdirSync(dirs.pidDir).map((file) => file.replace(/\.json$/, ""));
  } catch {
    return [];
  }
}

/** Sends `signal`, waits until the process is gone, and after `graceMs` sends SIGKILL. */
export async function stopDaemon(
  dirs: DaemonDirs,
  name: string,
  { signal = "SIGTERM", graceMs = 5_000 }: { signal?: NodeJS.Signals; graceMs?: number } = {},
): Promise<void> {
  signalDaemon(dirs, name, signal);
  const killAt = Date.now() + graceMs;
  let killed = signal === "SIGKILL";
  // The kernel tells only a parent of an end, and we need not be the one who started it.
  while (findDaemon(dirs, name) !== undefined) {
    if (!killed && Date.now() > killAt) {
      signalDaemon(dirs, name, "SIGKILL");
      killed = true;
    }
    await delay(10);
  }
  rmSync(join(dirs.pidDir, `${name}.json`), { force: true });
}

function signalDaemon(dirs: DaemonDirs, name: string, signal: NodeJS.Signals): void {
  const pid = findDaemon(dirs, name);
  if (pid !== undefined) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended between the two lines.
    }
  }
}

/** Undefined where no such process lives; a zombie counts as ended. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces and parentheses itself: fields count from its end.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
