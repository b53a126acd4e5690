/**
 * Keeps what a program has in its memory, keys above all, in there: no core dump, no tracing by other processes
 * of its user, no debugger on a signal. Does nothing against root.
 */
import koffi from "koffi";
import type { Log } from "./log.ts";

/** linux/prctl.h. */
const PR_SET_DUMPABLE = 4;

/** Before the first secret is read. */
export function sealProcess(log: Log): void {
  // Without a listener Node answers this signal by opening its inspector, which gives the whole heap to whoever connects.
  process.on("SIGUSR1", (signal) => log.warn({ signal }, "no debugger is opened"));
  if (process.platform === "linux") forbidDumps();
  log.debug("sealed");
}

function forbidDumps(): void {
  // PR_SET_DUMPABLE(2const): 0 also gives /proc/PID to root, whatever `core_pattern` and the limit on core files say.
  const prctl = koffi
    .load(null)
    .func("int prctl(int option, unsigned long argument, long unused, long two, long three)") as (
    ...args: readonly [option: number, argument: number, unused: 0, two: 0, three: 0]
  ) => number;
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) !== 0) throw new Error("prctl(PR_SET_DUMPABLE) failed");
}
