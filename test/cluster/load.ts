/** A pod that keeps calling a URL while the test does something to the mesh, and what it saw. */
import { until } from "../world/until.ts";
import type { Cluster } from "./cluster.ts";
import { runCommand } from "./command.ts";
import { deployEcho, type Echo } from "./echo-workload.ts";
import { enforce, untilCaptured } from "./mesh-state.ts";

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
  /** Whom to ask. */
  readonly api: Echo;
  /** Requests a second, 50 of them on new connections. 80 where absent. */
  readonly perSecond?: number;
}

/** From a pod on the first node. Returns once it and the pods it asks are captured. */
export async function startLoad(
  cluster: Cluster,
  { namespace, api, perSecond }: LoadOptions,
): Promise<Load> {
  const [node] = cluster.nodes;
  if (!node) throw new Error("the cluster has no node");
  const url = `http://${api.serviceAddress}:${api.port}/`;
  const role = ["load", "8080", url, ...(perSecond === undefined ? [] : [`${perSecond}`])];
  const echo = await deployEcho(cluster, { namespace, name: "load", node: node.name, role });
  const address = echo.pods[0]?.address;
  const program = `fetch("http://${address}:8080/").then(async (r) => console.log(await r.text()))`;
  await untilCaptured(cluster, [...api.pods, ...echo.pods]);
  const argv = ["nsenter", `--net=/run/netns/${node.netns}`, "--", process.execPath, "-e", program];
  return {
    echo,
    tally: () =>
      until(
        "the tally",
        async () => JSON.parse(await runCommand(argv, { timeoutMs: 10_000 })) as Tally,
        240_000,
      ),
  };
}

/** Nobody but the load may call `api` from now on, so that a call without its identity fails. */
export async function permitLoadOnly(cluster: Cluster, namespace: string): Promise<void> {
  await enforce(cluster, {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "load-only", namespace },
    spec: {
      selector: { matchLabels: { app: "api" } },
      rules: [{ from: [{ source: { serviceAccounts: [`${namespace}/load`] } }] }],
    },
  });
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
