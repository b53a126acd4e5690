/**
 * From a policy at the API server to its enforcement on every node of the real test cluster, as callers see it: a
 * DENY is created, and a prober that opens connections to a pod of each node all the time tells when all are refused,
 * and when the connections that it has open are closed.
 */
import { setTimeout as delay } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { KubeClient } from "../../core/kube/kube-api.ts";
import { attachCluster, type Cluster, createCluster } from "../cluster/cluster.ts";
import { createNamespace, deployEcho, type Echo } from "../cluster/echo-workload.ts";
import { installWeft } from "../cluster/install-weft.ts";
import { untilCaptured } from "../cluster/mesh-state.ts";
import { type ConnectionProber, startProber } from "./connection-prober.ts";

const NAMESPACE = "propagation";
const PORT = 8080;
const POLICIES = `/apis/weft.dev/v1/namespaces/${NAMESPACE}/authorizationpolicies`;
/** Between two samples, so that none meets the prober or anybody's timer always at the same moment. */
const PAUSE_MS = 150;

export interface PropagationFigures {
  readonly samples: number;
  /** From the request's leaving for the API server to the first refusal seen of the node that came last. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** To the end of the last open connection that the policy forbids. */
  readonly closeP99Ms: number;
  readonly closeP50Ms: number;
  /** Until the API server answers: admission and its storage. The policy is on its way to the nodes before. */
  readonly storedP50Ms: number;
}

interface Sample {
  readonly enforcedMs: number;
  readonly closedMs: number;
  readonly storedMs: number;
}

export interface PropagationOptions {
  readonly samples: number;
  /** A cluster of that name with the mesh in it is used if it runs; else one is made and removed. */
  readonly cluster: string;
}

export async function runPropagation(options: PropagationOptions): Promise<PropagationFigures> {
  const running = attachCluster(options.cluster);
  if (running) return measure(running, options.samples);
  const cluster = await createCluster({ name: options.cluster, nodes: 2 });
  try {
    await installWeft(cluster);
    return await measure(cluster, options.samples);
  } finally {
    await cluster.close();
  }
}

async function measure(cluster: Cluster, count: number): Promise<PropagationFigures> {
  try {
    const targets = await deploy(cluster);
    const places = targets.flatMap(({ pods }) => pods.map(({ address }) => `${address}:${PORT}`));
    const pod = { namespace: NAMESPACE, pod: "deployment/prober" };
    await using prober = startProber(cluster, pod, places);
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const api = new KubeClient(config);
    const samples: Sample[] = [];
    // The first only warms what is used for the first time.
    for (let i = 0; i <= count; i += 1) samples.push(await takeSample(api, prober));
    api.close();
    return figuresOf(samples.slice(1));
  } finally {
    await cluster.kubectl(["delete", "namespace", NAMESPACE, "--timeout=60s"]);
  }
}

/** One caller, and one server on each node. */
async function deploy(cluster: Cluster): Promise<readonly Echo[]> {
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  const role = ["server-first", `${PORT}`];
  const [prober, ...targets] = await Promise.all([
    deployEcho(cluster, { namespace: NAMESPACE, name: "prober" }),
    ...cluster.nodes.map(({ name }) =>
      deployEcho(cluster, { namespace: NAMESPACE, name: `target-${name}`, node: name, role }),
    ),
  ]);
  await untilCaptured(
    cluster,
    [prober, ...targets].flatMap(({ pods }) => pods),
  );
  return targets;
}

async function takeSample(api: KubeClient, prober: ConnectionProber): Promise<Sample> {
  await prober.becomes("new", true);
  await prober.becomes("kept", true);
  await delay(PAUSE_MS * Math.random());
  const before = prober.seen.length;
  const sentMs = Date.now();
  await api.call({ method: "POST", path: POLICIES, body: DENY_PROBER });
  const storedMs = Date.now() - sentMs;
  const enforcedMs = (await prober.becomes("new", false)) - sentMs;
  const closedMs = (await prober.becomes("kept", false)) - sentMs;
  await delay(PAUSE_MS * Math.random());
  const reopened = prober.seen.slice(before).filter(({ isOpen }) => isOpen);
  if (reopened.length > 0) throw new Error(`carried again: ${JSON.stringify(reopened)}`);
  await api.call({ method: "DELETE", path: `${POLICIES}/${DENY_PROBER.metadata.name}` });
  return { enforcedMs, closedMs, storedMs };
}

const DENY_PROBER = {
  apiVersion: "weft.dev/v1",
  kind: "AuthorizationPolicy",
  metadata: { name: "deny-prober", namespace: NAMESPACE },
  spec: { action: "DENY", rules: [{ from: [{ source: { serviceAccounts: ["prober"] } }] }] },
};

function figuresOf(samples: readonly Sample[]): PropagationFigures {
  const enforced = samples.map(({ enforcedMs }) => enforcedMs);
  const closed = samples.map(({ closedMs }) => closedMs);
  return {
    samples: samples.length,
    p50Ms: quantile(enforced, 0.5),
    p99Ms: quantile(enforced, 0.99),
    closeP99Ms: quantile(closed, 0.99),
    closeP50Ms: quantile(closed, 0.5),
    storedP50Ms: quantile(
      samples.map(({ storedMs }) => storedMs),
      0.5,
    ),
  };
}

/** The smallest value that so many of all do not exceed. */
function quantile(values: readonly number[], of: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(of * sorted.length) - 1] ?? Number.NaN;
}
