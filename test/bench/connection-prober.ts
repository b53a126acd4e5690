/**
 * A program in a pod that opens connections to every target all the time, and what it has seen: since when each target
 * is open or refused to new connections, and since when the one that it keeps is open or closed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Cluster } from "../cluster/cluster.ts";
import { appCommand } from "../cluster/echo-workload.ts";

const PATIENCE_MS = 30_000;

/** A change, by the clock that all programs of this machine share. */
export interface Seen {
  readonly target: number;
  readonly way: "new" | "kept";
  readonly isOpen: boolean;
  readonly atMs: number;
}

export interface ConnectionProber extends AsyncDisposable {
  /** When the last of all targets became so, in that way, once all are. */
  becomes(way: Seen["way"], isOpen: boolean): Promise<number>;
  /** Changes so far, oldest first. */
  readonly seen: readonly Seen[];
}

interface From {
  readonly namespace: string;
  readonly pod: string;
}

export function startProber(
  cluster: Cluster,
  { namespace, pod }: From,
  targets: readonly string[],
): ConnectionProber {
  const kubectl = join(cluster.dir, "bin", "kubectl");
  const exec = ["-n", namespace, "exec", pod, "--", ...appCommand(["probe", ...targets])];
  const child = spawn(kubectl, [`--kubeconfig=${cluster.kubeconfig}`, ...exec], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const seen: Seen[] = [];
  const latest = new Map<string, Seen>();
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const one = JSON.parse(line) as Seen;
    seen.push(one);
    latest.set(`${one.way} ${one.target}`, one);
    for (const look of waiting) look();
  });
  async function becomes(way: Seen["way"], isOpen: boolean): Promise<number> {
    function sinceMs(): number | undefined {
      const states = targets.map((_, i) => latest.get(`${way} ${i}`));
      if (!states.every((state) => state?.isOpen === isOpen)) return undefined;
      return Math.max(...states.map((state) => state?.atMs ?? 0));
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    function look(): void {
      const atMs = sinceMs();
      if (atMs !== undefined) resolve(atMs);
    }
    const states = JSON.stringify([...latest.values()]);
    const timeout = setTimeout(
      () => reject(new Error(`not all ${way} connections became ${isOpen}: ${states}`)),
      PATIENCE_MS,
    );
    waiting.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timeout);
      waiting.delete(look);
    }
  }
  return {
    seen,
    becomes,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await closed;
    },
  };
}
