/**
 * A cluster of one node as far as weftctl looks at it: lists, what the real manifests put outside any
 * namespace, and a node proxy that releases its pod step by step once the namespace has lost its label.
 */
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import { KubeObjectServer } from "./kube-object-server.ts";
import { RotatingOperator } from "./rotating-operator.ts";

type Json = Readonly<Record<string, unknown>>;

const PODS = "/api/v1/pods";
const METRICS = "/api/v1/namespaces/weft-system/pods/op-1:15014/proxy/metrics";
const NAMESPACES = "/api/v1/namespaces";
const REPORTS = "/apis/weft.dev/v1/nodereports";
const WORKLOADS = "/apis/apps/v1/namespaces/weft-system";
const LABELLED = { "weft.dev/mesh": "enabled" };
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/** Where objects of the manifests live that belong to no namespace. */
const CLUSTER_KINDS: Readonly<Record<string, string>> = {
  Namespace: NAMESPACES,
  CustomResourceDefinition: CRDS,
  ClusterRole: "/apis/rbac.authorization.k8s.io/v1/clusterroles",
  ClusterRoleBinding: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
  MutatingWebhookConfiguration:
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
  ValidatingWebhookConfiguration:
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
};

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export class SmallCluster {
  /** What was done, oldest first; reports once for each time that they were asked for after the label went. */
  readonly steps: string[] = [];
  /** State and reason that the node reports of its pod. */
  capture = "captured";
  /** Certificates that the node reports. */
  leaves: readonly Json[] = [];
  /** Moves CARotations on. */
  readonly operator = new RotatingOperator();
  /** What the node reports of its pod each time after that, "gone" for nothing; the last one stays. */
  releaseIn: readonly string[] = [];
  readonly #server = new KubeObjectServer();
  readonly #lists = new Map<string, Json[]>();
  readonly #installed = new Set<string>();
  #metricsCode = 503;
  #isLabelled = true;
  #asked = 0;

  async start(): Promise<void> {
    await this.#server.start();
    this.#server.answer = (method, path, body) => this.#answer(method, path, body);
    this.#lists.set(NAMESPACES, []);
    this.#lists.set(PODS, []);
    this.put("/api/v1/nodes", {
      metadata: { name: "node-a" },
      status: {
        nodeInfo: { kernelVersion: "6.1.0", operatingSystem: "linux", architecture: "amd64" },
      },
    });
    this.#server.put("/version", { major: "1", minor: "34", gitVersion: "v1.34.0" });
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  kubeconfig(): string {
    return JSON.stringify({
      clusters: [
        { name: "c", cluster: { server: this.#server.url(), "insecure-skip-tls-verify": true } },
      ],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    });
  }

  put(list: string, object: Json): void {
    this.#lists.set(list, [...(this.#lists.get(list) ?? []), object]);
  }

  /** By default of a root that signs itself. */
  putRoots(pem: string, issuersPem = ""): void {
    this.#server.put("/api/v1/namespaces/weft-system/configmaps/weft-roots", {
      metadata: { name: "weft-roots", namespace: "weft-system" },
      data: { "roots.pem": pem, "issuers.pem": issuersPem },
    });
  }

  /** What the replica of the operator says of its own certificates. */
  tellMetrics(hoursLeft: { readonly grpc: number; readonly webhook: number }): void {
    const lines = Object.entries(hoursLeft).map(
      ([certificate, hours]) =>
        `weft_operator_certificate_expiry_seconds{certificate="${certificate}"} ${hours * 3600}\n` +
        `weft_operator_certificate_issued_timestamp_seconds{certificate="${certificate}"} ${Date.now() / 1000}\n`,
    );
    this.#server.pages.set(METRICS, lines.join(""));
  }

  /** The API server answers so instead of passing it on. */
  refuseMetrics(code: 403 | 503): void {
    this.#server.pages.delete(METRICS);
    this.#metricsCode = code;
  }

  /** The mesh, a namespace in it, a captured pod, and one that waits for a node. */
  install(): void {
    this.#server.put(`${WORKLOADS}/deployments/weft-operator`, {
      metadata: { name: "weft-operator" },
      status: { replicas: 2, readyReplicas: 2 },
    });
    this.#server.put(`${WORKLOADS}/daemonsets/weft-node-proxy`, {
      metadata: { name: "weft-node-proxy" },
      status: { desiredNumberScheduled: 1, numberReady: 1 },
    });
    for (const [path, manifest] of clusterManifests()) {
      this.#server.put(path, { ...manifest });
      this.#installed.add(path);
    }
    this.put(NAMESPACES, { metadata: { name: "shop", labels: LABELLED } });
    const initContainers = [{ name: "weft-gate" }];
    this.put(PODS, {
      metadata: { name: "web", namespace: "shop", uid: "u" },
      spec: { nodeName: "node-a", initContainers },
      status: { phase: "Running" },
    });
    this.put(PODS, {
      metadata: { name: "waiting", namespace: "shop", uid: "w" },
      spec: { initContainers },
      status: { phase: "Pending" },
    });
    this.put(REPORTS, { metadata: { name: "node-a" } });
    this.tellMetrics({ grpc: 20, webhook: 20 });
    this.put(PODS, {
      metadata: { name: "op-1", namespace: "weft-system", labels: { app: "weft-operator" } },
      spec: { nodeName: "node-a" },
      status: { phase: "Running" },
    });
  }

  /** What the manifests put there and nobody has deleted: what is in a namespace goes with it. */
  leftOver(): readonly string[] {
    return [...this.#installed].filter((path) => this.#server.get(path) !== undefined);
  }

  #answer(method: string, path: string, body: Json): Json | undefined {
    if (path === METRICS) return { kind: "Status", code: this.#metricsCode };
    const rotation = this.operator.answer(method, path, body);
    if (rotation) return rotation;
    const [collection = "", name = ""] = path.split("/").slice(-2);
    if (method === "DELETE") {
      this.steps.push(`DELETE ${collection}/${name}`);
      return undefined;
    }
    if (method === "PATCH") return this.#patch(path, name, body);
    if (path === REPORTS && this.#lists.has(REPORTS)) return { items: [this.#report()] };
    if (path === CRDS) return { kind: "List", metadata: {}, items: this.#kinds() };
    const items = this.#lists.get(path);
    return items && { kind: "List", metadata: {}, items };
  }

  /** Also one of somebody else. */
  #kinds(): readonly Json[] {
    const kinds: Json[] = [
      { metadata: { name: "others.example.org" }, spec: { group: "example.org" } },
    ];
    for (const path of this.leftOver()) {
      const object = this.#server.get(path);
      if (object && path.startsWith(`${CRDS}/`)) kinds.push(object);
    }
    return kinds;
  }

  #patch(path: string, name: string, body: Json): Json {
    if (path.includes("/pods/")) {
      const { annotations } = body["metadata"] as { readonly annotations: Json };
      this.steps.push(`gate of ${name} ${String(annotations["weft.dev/gate"])}`);
    } else {
      const { labels } = body["metadata"] as { readonly labels: Json };
      this.#isLabelled = labels["weft.dev/mesh"] !== null;
      this.steps.push(`${name} ${this.#isLabelled ? "" : "not "}labelled`);
    }
    return { kind: "Status" };
  }

  #report(): Json {
    if (!this.#isLabelled) {
      const asked = Math.min(this.#asked, this.releaseIn.length) - 1;
      this.capture = this.releaseIn[asked] ?? this.capture;
      this.#asked += 1;
      this.steps.push(`reports: ${this.capture === "gone" ? "none" : this.capture}`);
    }
    const [state, reason = ""] = this.capture.split(" ");
    const captures = state === "gone" ? [] : [{ uid: "u", state, reason }];
    return {
      metadata: { name: "node-a" },
      status: { version: "1", captures, leaves: this.leaves },
    };
  }
}

/** By path. */
function clusterManifests(): ReadonlyMap<string, Manifest> {
  const manifests = parseAllDocuments(readFileSync("deploy/weft.yaml", "utf8"))
    .map((document) => document.toJS() as Manifest)
    .filter(({ metadata }) => metadata.namespace === undefined);
  return new Map(
    manifests.map((manifest) => {
      const collection = CLUSTER_KINDS[manifest.kind];
      if (collection === undefined) throw new Error(`the fake knows no kind ${manifest.kind}`);
      return [`${collection}/${manifest.metadata.name}`, manifest] as const;
    }),
  );
}
