/**
 * Becoming the node's proxy: at once where nobody is, else by asking the one that is for its pods.
 *
 * The listening sockets come over, so no connection is refused in between; the other goes on accepting until
 * `confirm`. Where it does not answer, the lock gets free with its end and nothing comes over. Where it dies before
 * it has given all, it may come back first: of sockets that its keeper holds no others can be opened. Where it has given
 * what this version cannot read, nothing is taken and it goes on: this one waits for its end.
 */
import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../core/process/log.ts";
import type { KeptPod } from "../channel/kept-descriptors.ts";
import { type LineClient, openLineClient } from "../channel/line-client.ts";
import { closeDescriptor } from "../sys/descriptor.ts";
import { type FromSuccessor, HAND_OVER_VERSION, readToSuccessor } from "./messages.ts";
import { adoptLock, holdersLinePath, type RunDirLock, tryLockRunDir } from "./run-dir-lock.ts";

/** flock(2) tells nobody when it gets free, and the call that waits would stop the event loop. */
const RETRY_MS = 50;
const LINE_PREFIX = "hand-over-";
/** A control process that was killed is back within so long, with every socket that its keeper holds. */
const COME_BACK_MS = 2_000;

export interface TakeOverOptions {
  readonly runDir: string;
  /** False for one that has handed over itself: it only waits for the other's end, else the two would do nothing else. */
  readonly mayAsk: boolean;
  readonly log: Log;
  /** Called once, where another process holds the directory. */
  readonly onWait: () => void;
  readonly signal: AbortSignal;
}

export interface TakenOver {
  readonly lock: RunDirLock;
  /** What came over; the descriptors are the caller's. Empty where there was nobody. */
  readonly pods: readonly KeptPod[];
  /** The pods are served here: the one before stops accepting. */
  confirm(): void;
}

/** Another each time: of two that share the run directory each has its own. */
export function handOverPath(runDir: string): string {
  return join(runDir, `${LINE_PREFIX}${randomBytes(4).toString("hex")}`, "line");
}

/** Whoever was killed left its own there. To be called by whoever has the lock, before it tells a line. */
export function removeOldLines(runDir: string): void {
  for (const name of readdirSync(runDir)) {
    if (name.startsWith(LINE_PREFIX)) rmSync(join(runDir, name), { recursive: true, force: true });
  }
}

/** Resolves once the run directory is this process's alone. Rejects with the signal's reason. */
export async function takeOver(options: TakeOverOptions): Promise<TakenOver> {
  const { runDir, mayAsk, log, signal } = options;
  let lock = tryLockRunDir(runDir);
  if (lock) return { lock, pods: [], confirm: () => undefined };
  options.onWait();
  log.info({ runDir, mayAsk }, "another node proxy owns this node");
  const asking = new Asking(options);
  try {
    while (!lock) {
      if (mayAsk) asking.ask(holdersLinePath(runDir));
      await delay(RETRY_MS, undefined, { signal });
      lock = asking.takeLock() ?? tryLockRunDir(runDir);
      if (!lock || !asking.isLeftHalfway) continue;
      lock.release();
      lock = undefined;
      asking.giveUp();
      await delay(COME_BACK_MS, undefined, { signal });
    }
  } catch (error) {
    asking.giveUp();
    throw error;
  }
  return { lock, pods: asking.end(), confirm: () => asking.confirm() };
}

class Asking {
  readonly #runDir: string;
  readonly #log: Log;
  #path = "";
  /** Another each time somebody owns the node. */
  readonly #past = new Set<string>();
  #line: LineClient<FromSuccessor> | undefined;
  readonly #pods: KeptPod[] = [];
  #hasAll = false;
  #isRefused = false;
  #lock: RunDirLock | undefined;

  constructor({ runDir, log }: Pick<TakeOverOptions, "runDir" | "log">) {
    this.#runDir = runDir;
    this.#log = log;
  }

  /** Of whoever holds the lock now; another than before has other pods. */
  ask(path: string): void {
    if (path === this.#path || path === "" || this.#past.has(path) || this.#isRefused) return;
    this.giveUp();
    this.#path = path;
    const line: LineClient<FromSuccessor> = openLineClient({
      path,
      log: this.#log,
      version: HAND_OVER_VERSION,
      onMessage: (message, descriptors) => {
        // What was still on its way when nothing was wanted any more.
        if (this.#line === line) this.#hear(message, descriptors);
        else descriptors.forEach(closeDescriptor);
      },
    });
    this.#line = line;
  }

  /** It is asked, and has not given all. */
  get isLeftHalfway(): boolean {
    return this.#path !== "" && !this.#hasAll;
  }

  /** The caller's from here on. */
  takeLock(): RunDirLock | undefined {
    const lock = this.#lock;
    this.#lock = undefined;
    return lock;
  }

  /** What has come. */
  end(): readonly KeptPod[] {
    return this.#pods.splice(0);
  }

  /** Nothing is taken over from whoever was asked. */
  giveUp(): void {
    this.#past.add(this.#path);
    this.#path = "";
    this.#hasAll = false;
    this.#letGo();
  }

  confirm(): void {
    this.#line?.send({ kind: "taken_over" });
    this.#line?.close();
  }

  #hear(said: { readonly kind: string }, descriptors: readonly number[]): void {
    const message = readToSuccessor(said, descriptors);
    if (!message) {
      descriptors.forEach(closeDescriptor);
      this.#log.warn({ kind: said.kind }, "the node proxy before says what is not known here");
    } else if (message.kind === "pod") {
      this.#pods.push({ ...message.pod, descriptors });
    } else {
      this.#finish(message.pods, descriptors);
    }
  }

  #finish(pods: number, [lock, ...others]: readonly number[]): void {
    others.forEach(closeDescriptor);
    if (lock !== undefined) this.#lock = adoptLock(this.#runDir, lock);
    if (lock === undefined || pods !== this.#pods.length) {
      const read = this.#pods.length;
      this.#isRefused = true;
      this.#letGo();
      this.#log.error(
        { pods, read },
        "what was handed over is not understood: waiting for its end",
      );
      return;
    }
    this.#hasAll = true;
    this.#log.info({ pods }, "the node proxy before has handed over its pods");
    this.#line?.send({ kind: "received" });
  }

  #letGo(): void {
    this.#line?.close();
    this.#line = undefined;
    this.takeLock()?.release();
    for (const { descriptors } of this.#pods.splice(0)) descriptors.forEach(closeDescriptor);
  }
}
