/** Two captured pods on two "nodes" of one process: real namespaces, rules and sockets, two whole traffic processes' worth of parts. */
import { Counter, Histogram, Registry } from "prom-client";
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import type { Enrolment } from "../../core/model/enrolment.ts";
import {
  type Resource,
  type ResourceBody,
  type ResourceRef,
  resourceName,
} from "../../core/model/resource.ts";
import type { Workload } from "../../core/model/workload.ts";
import { createLog } from "../../core/process/log.ts";
import { applyRules, removeRules } from "../../nodeproxy/capture/apply-rules.ts";
import type { FromTraffic } from "../../nodeproxy/channel/messages.ts";
import type { ConnectionFacts, ConnectionOutcome } from "../../nodeproxy/flow/connection-facts.ts";
import { DEFAULT_POD_LIMITS, type PodLimits } from "../../nodeproxy/flow/pod-slots.ts";
import { duplicateDescriptor } from "../../nodeproxy/sys/descriptor.ts";
import { openListeningSocket } from "../../nodeproxy/sys/tcp-socket.ts";
import { ConnectionMetrics } from "../../nodeproxy/telemetry/connection-metrics.ts";
import { createTraffic } from "../../nodeproxy/traffic-app.ts";
import type { Traffic } from "../../nodeproxy/traffic-options.ts";
import { type Crafted, createCraftedRoot, uriName } from "../fakes/crafted-ca.ts";
import { createPodNetwork, type PodNetwork, type TestPod } from "./pod-network.ts";

export interface LoggedConnection {
  readonly facts: ConnectionFacts;
  readonly outcome: ConnectionOutcome;
}

export interface TrafficNode {
  readonly traffic: Pick<Traffic, "onMessage"> & { close(): void | Promise<void> };
  readonly ended: LoggedConnection[];
  /** Resolves with the next connection that ends from now on. */
  nextEnded(): Promise<LoggedConnection>;
  told: FromTraffic[];
  /** Resolves with the next message that control is told from now on. */
  nextTold(): Promise<FromTraffic>;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
}

export interface TrafficMesh<Node extends TrafficNode = TrafficNode> extends AsyncDisposable {
  readonly network: PodNetwork;
  readonly root: Crafted;
  readonly a: Node;
  readonly b: Node;
  /** To both nodes. */
  put(...bodies: readonly ResourceBody[]): void;
  /** From both nodes. */
  remove(...refs: readonly ResourceRef[]): void;
  /** Gives the node a new leaf of that account. */
  leaf(node: TrafficNode, account: string, by?: Crafted): Crafted;
}

export const SETTINGS: ResourceBody = {
  kind: "settings",
  value: {
    trustDomain: "cluster.local",
    trustDomainAliases: [],
    leafLifetimeSeconds: 86_400,
    accessLog: true,
    outboundPolicy: "ALLOW_ANY",
  },
};

export interface TrafficMeshOptions {
  /** Both pods on one node: `a` and `b` are the same. */
  readonly isOneNode?: boolean;
  readonly limits?: PodLimits;
}

export async function createTrafficMesh(
  prefix: string,
  { isOneNode = false, limits = DEFAULT_POD_LIMITS }: TrafficMeshOptions = {},
): Promise<TrafficMesh> {
  return joinTrafficMesh(prefix, (name) => createNode(name, limits), isOneNode);
}

/** With nodes of the caller's making. */
export async function joinTrafficMesh<Node extends TrafficNode>(
  prefix: string,
  makeNode: (name: string) => Node,
  isOneNode = false,
): Promise<TrafficMesh<Node>> {
  const network = createPodNetwork(prefix);
  const root = createCraftedRoot();
  const a = makeNode("node-a");
  const b = isOneNode ? a : makeNode("node-b");
  const nodes = new Set([a, b]);
  function put(...bodies: readonly ResourceBody[]): void {
    for (const { traffic } of nodes) {
      traffic.onMessage({ kind: "changes", changes: changesOf(bodies) }, []);
    }
  }
  function remove(...removals: readonly ResourceRef[]): void {
    for (const { traffic } of nodes) {
      traffic.onMessage({ kind: "changes", changes: { upserts: [], removals } }, []);
    }
  }
  function leaf(node: TrafficNode, account: string, by: Crafted = root): Crafted {
    const identity = `spiffe://cluster.local/ns/shop/sa/${account}`;
    const crafted = by.issue({ names: [uriName(identity)] });
    const { chainPem, keyPem } = crafted;
    const notAfterMs = Date.now() + 3_600_000;
    node.traffic.onMessage({ kind: "leaf", leaf: { identity, chainPem, keyPem, notAfterMs } }, []);
    return crafted;
  }
  put(
    SETTINGS,
    {
      kind: "bundle",
      value: { trustDomain: "cluster.local", roots: [root.der], issuer: "", retired: [] },
    },
    workload(network.a, "a", {}),
    workload(network.b, "b", {}),
    enrolment(network.a, "a", {}),
    enrolment(network.b, "b", {}),
  );
  leaf(a, "a");
  leaf(b, "b");
  await Promise.all([capture(a, network.a, "uid-a"), capture(b, network.b, "uid-b")]);
  const families = {
    possible: [4, 6],
    required: [4, 6],
    exclusions: NOTHING_EXCLUDED,
  } as const;
  await applyRules(network.a.namespace, families);
  await applyRules(network.b.namespace, families);
  return {
    network,
    root,
    a,
    b,
    put,
    remove,
    leaf,
    async [Symbol.asyncDispose]() {
      for (const { traffic } of nodes) await traffic.close();
      await removeRules(network.a.namespace, [4, 6]);
      await removeRules(network.b.namespace, [4, 6]);
      await network[Symbol.asyncDispose]();
    },
  };
}

export function workload(pod: TestPod, name: string, part: Partial<Workload>): ResourceBody {
  const value = {
    uid: `uid-${name}`,
    namespace: "shop",
    name,
    serviceAccount: name,
    node: `node-${name}`,
    addresses: [pod.v4, pod.v6],
    tunnel: true,
    modes: { default: "STRICT" as const, ports: [] },
    owner: name,
    weight: 1,
    ...part,
  };
  return { kind: "workload", value };
}

/** A policy by which nobody may call that port. */
export function denyPort(ref: string, port: number): ResourceBody {
  const rule = { index: 0, from: [], to: [{ ports: [port], notPorts: [] }], when: [] };
  const value = { ref, action: "DENY", dryRun: false, invalid: false, rules: [rule] } as const;
  return { kind: "policy", value };
}

export function enrolment(pod: TestPod, name: string, part: Partial<Enrolment>): ResourceBody {
  const value = {
    uid: `uid-${name}`,
    namespace: "shop",
    name,
    serviceAccount: name,
    addresses: [pod.v4, pod.v6],
    netnsPath: "",
    policies: [],
    modes: { default: "STRICT" as const, ports: [] },
    probes: [],
    nodeAddresses: [],
    exclusions: NOTHING_EXCLUDED,
    owner: name,
    zone: "",
    ...part,
  };
  return { kind: "enrolment", value };
}

export function denyAll(ref: string): ResourceBody {
  const rule = { index: 0, from: [], to: [], when: [] };
  const value: CompiledPolicy = {
    ref,
    action: "DENY",
    dryRun: false,
    invalid: false,
    rules: [rule],
  };
  return { kind: "policy", value };
}

function changesOf(bodies: readonly ResourceBody[]): { upserts: Resource[]; removals: [] } {
  return {
    upserts: bodies.map((body) => ({ name: resourceName(body), version: "1", body })),
    removals: [],
  };
}

function createNode(node: string, limits: PodLimits): TrafficNode {
  const ended: LoggedConnection[] = [];
  const waiting: ((connection: LoggedConnection) => void)[] = [];
  const told: FromTraffic[] = [];
  const hearing: ((message: FromTraffic) => void)[] = [];
  const registry = new Registry();
  const metrics = new ConnectionMetrics();
  metrics.expose(registry, { Counter, Histogram });
  const traffic = createTraffic({
    node,
    log: createLog({ name: "test", level: "error" }),
    metrics,
    metricsText: () => registry.metrics(),
    limits,
    accessLog: {
      write: (facts, outcome) => {
        ended.push({ facts, outcome });
        for (const resolve of waiting.splice(0)) resolve({ facts, outcome });
      },
      close: () => Promise.resolve(),
    },
    send: (message) => {
      told.push(message);
      for (const resolve of hearing.splice(0)) resolve(message);
    },
  });
  return {
    traffic,
    ended,
    told,
    nextTold: () => new Promise((resolve) => hearing.push(resolve)),
    nextEnded: () => new Promise((resolve) => waiting.push(resolve)),
    metrics: () => registry.metrics(),
  };
}

/** Before that pod, which no other node captures now, and nothing told. */
export async function startUntold(pod: TestPod, uid: string): Promise<TrafficNode> {
  const node = createNode("node-untold", DEFAULT_POD_LIMITS);
  await capture(node, pod, uid);
  return node;
}

async function capture(node: TrafficNode, pod: TestPod, uid: string): Promise<void> {
  const families = [4, 6] as const;
  const listening = families.flatMap((family) =>
    [15001, 15006, 15008].map((port) =>
      openListeningSocket({ namespace: pod.namespace, family }, port),
    ),
  );
  const descriptors = [duplicateDescriptor(pod.namespace.fd), ...listening];
  node.traffic.onMessage({ kind: "pod", uid, families }, descriptors);
  await Promise.resolve();
}
