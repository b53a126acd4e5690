/** A pod that keeps calling a URL while the test does something to the mesh, and what it saw. */
import { until } from "../world/until.ts";
import type { Cluster, ClusterNode } from "./cluster.ts";
import { runCommand } from "./command.ts";
import { deployEcho, type Echo } from "./echo-workload.ts";

/** Times in milliseconds since the epoch. */
export interface Tally {
  readonly startedMs: number;
  /** On connections of their own, and on one that is kept. */
  readonly answered: { readonly once: number; readonly kept: number };
  readonly failed: readonly {
    readonly atMs: number;
    readonly tookMs: number;
    readonly error: string;
  }[];
  /** Answers by the pod that gave them. */
  readonly pods: Readonly<Record<string, number>>;
}

export interface Load {
  readonly echo: Echo;
  /** What it has seen since it started, asked by the node itself: needs no API server, and waits for a node proxy. */
  tally(): Promise<Tally>;
}

export interface LoadOptions {
  readonly namespace: string;
  readonly node: ClusterNode;
  readonly url: string;
}

export async function startLoad(
  cluster: Cluster,
  { namespace, node, url }: LoadOptions,
): Promise<Load> {
  const role = ["load", "8080", url];
  const echo = await deployEcho(cluster, { namespace, name: "load", node: node.name, role });
  const address = echo.pods[0]?.address;
  const program = `fetch("http://${address}:8080/").then(async (r) => console.log(await r.text()))`;
  const argv = ["nsenter", `--net=/run/netns/${node.netns}`, "--", process.execPath, "-e", program];
  return {
    echo,
    tally: () =>
      until(
        "the tally",
        async () => JSON.parse(await runCommand(argv, { timeoutMs: 10_000 })) as Tally,
        60_000,
      ),
  };
}

/** What was seen between two tallies. */
export function between(before: Tally, after: Tally): Omit<Tally, "startedMs"> {
  return {
    answered: {
      once: after.answered.once - before.answered.once,
      kept: after.answered.kept - before.answered.kept,
    },
    failed: after.failed.slice(before.failed.length),
    pods: Object.fromEntries(
      Object.entries(after.pods).map(([pod, count]) => [pod, count - (before.pods[pod] ?? 0)]),
    ),
  };
}
