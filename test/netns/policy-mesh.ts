/**
 * Two pods behind two whole data planes, the called one's node fed by the operator's own index: objects as a user writes
 * them go in, a call's outcome comes out. Not a test itself.
 */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import type { Changes, Resource, ResourceBody } from "../../core/model/resource.ts";
import { resourceName } from "../../core/model/resource.ts";
import { ClusterIndex } from "../../operator/index/cluster-index.ts";
import { type KubeObject, parseKubeObject } from "../../operator/resources/kube-object.ts";
import { uriName } from "../fakes/crafted-ca.ts";
import { type Call, ROOT } from "../policy-language.ts";
import { closeNode, listenInPod, openNode, startFromPod, type TestPod } from "./pod-network.ts";
import { createTrafficMesh, enrolment, type TrafficMesh, workload } from "./traffic-mesh.ts";

/** Where the called pod serves; its Service is in front of the second. */
const PORTS = [80, 8080];
export const SERVICE = { address: "10.96.0.10", port: 8081 };
const LABELS = { app: "api", tier: "back" };

export type Manifest = Readonly<Record<string, unknown>> & {
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
};

export interface PolicyMesh extends AsyncDisposable {
  readonly mesh: TrafficMesh;
  /** The node's own network, from which whoever is not a pod of the mesh calls. */
  readonly host: TestPod;
  /** What the application has accepted, oldest first. */
  readonly accepted: readonly Socket[];
  /** These objects, beside the pod and its Service, are all that the cluster has from now on. */
  rule(objects: readonly Manifest[]): void;
  /** What the called pod's node holds. */
  resources(): Iterable<Resource>;
  /** Replaces the labels of the called pod. */
  relabel(labels?: Readonly<Record<string, string>>): void;
  /** From now on the calling pod is that caller's: its identity, or plaintext. */
  become(peer: string | undefined): void;
  /** An open connection of that caller, as soon as the application has greeted. */
  open(call: Call): Promise<Socket>;
  /** The code of the refusal, or `permit` for a call that the application has answered. */
  outcomeOf(call: Call): Promise<string>;
}

export interface PolicyMeshOptions {
  /** What the Service declares of its ports, by the pod's own port; as opaque, if it does not say otherwise. */
  readonly protocols?: Readonly<Record<number, string>>;
  /** The called application; by default it greets, and hears the end. */
  readonly serve?: (socket: Socket) => void;
}

const OPAQUE: Readonly<Record<number, string>> = { 80: "tcp", 8080: "tcp" };

export async function createPolicyMesh(
  prefix: string,
  { protocols = OPAQUE, serve: application = greet }: PolicyMeshOptions = {},
): Promise<PolicyMesh> {
  const mesh = await createTrafficMesh(prefix);
  const { a, b } = mesh.network;
  const host = openNode(prefix, ["10.77.0.1", "fd77::1"]);
  const accepted: Socket[] = [];
  const servers = await serve(b, (socket) => {
    accepted.push(socket);
    application(socket.on("error", () => undefined));
  });
  const index = indexFor(mesh, protocols);
  let ruling: readonly KubeObject[] = [];
  function rule(objects: readonly Manifest[]): void {
    for (const object of ruling) index.apply({ kind: "delete", object });
    ruling = objects.map(kubeObject);
    for (const object of ruling) index.apply({ kind: "upsert", object });
    index.deliver();
  }
  function become(peer: string | undefined): void {
    const [, , namespace = "shop", , serviceAccount = "web"] = (peer ?? "").split("/");
    const identity = `spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`;
    const { chainPem, keyPem } = mesh.root.issue({ names: [uriName(identity)] });
    const notAfterMs = Date.now() + 3_600_000;
    mesh.a.traffic.onMessage(
      { kind: "leaf", leaf: { identity, chainPem, keyPem, notAfterMs } },
      [],
    );
    const changes = changesOf([
      enrolment(a, "a", { namespace, serviceAccount }),
      workload(b, "b", { tunnel: peer !== undefined }),
    ]);
    mesh.a.traffic.onMessage({ kind: "changes", changes }, []);
  }
  function start({ peer, ip, port }: Call): Socket {
    become(peer);
    return startFromPod(a, isVersion6(ip) ? b.v6 : b.v4, port);
  }
  return {
    mesh,
    host,
    accepted,
    rule,
    become,
    resources: () => index.resourcesFor("node-b").values(),
    relabel(labels = LABELS) {
      index.apply({ kind: "upsert", object: kubeObject(calledPod(b, labels)) });
      index.deliver();
    },
    async open(call) {
      const socket = start(call);
      await once(socket, "data");
      return socket;
    },
    outcomeOf: async (call) => outcomeOf(mesh, () => start(call)),
    async [Symbol.asyncDispose]() {
      for (const socket of accepted) socket.destroy();
      await Promise.all(servers.map((server) => once(server.close(), "close")));
      closeNode(host);
      await mesh[Symbol.asyncDispose]();
    },
  };
}

/** A v4-mapped address is an IPv4 caller's. */
function isVersion6(ip: string): boolean {
  return ip.includes(":") && !ip.startsWith("::ffff:");
}

/** The code of the called node's line, which must agree with what the caller has seen. */
export async function outcomeOf(mesh: TrafficMesh, start: () => Socket): Promise<string> {
  const ended = mesh.b.nextEnded();
  const socket = start();
  const isGreeted = await new Promise<boolean>((resolve) => {
    socket.once("data", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("end", () => resolve(false));
  });
  if (isGreeted) socket.end();
  else socket.destroy();
  const { outcome } = await ended;
  if (isGreeted !== (outcome.code === "")) throw new Error(`${isGreeted}, but ${outcome.code}`);
  return outcome.code || "permit";
}

function greet(socket: Socket): void {
  socket.write("hello");
  socket.on("end", () => socket.end()).resume();
}

async function serve(pod: TestPod, take: (socket: Socket) => void): Promise<readonly Server[]> {
  const places = PORTS.flatMap((port) => [
    { port, family: 4 as const },
    { port, family: 6 as const },
  ]);
  return Promise.all(places.map((place) => listenInPod(pod, place, take)));
}

/** What the operator would send to each of the nodes is what they get. */
function indexFor(mesh: TrafficMesh, protocols: Readonly<Record<number, string>>): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: ROOT, schedule: () => undefined });
  index.setBundle({
    trustDomain: "cluster.local",
    roots: [mesh.root.der],
    issuer: "",
    retired: [],
  });
  for (const object of clusterObjects(mesh.network.b, protocols)) {
    index.apply({ kind: "upsert", object: kubeObject(object) });
  }
  index.watch("node-b", (changes) => mesh.b.traffic.onMessage({ kind: "changes", changes }, []));
  index.watch("node-a", (changes) => mesh.a.traffic.onMessage({ kind: "changes", changes }, []));
  return index;
}

function kubeObject(manifest: Manifest): KubeObject {
  const parsed = parseKubeObject(manifest);
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

export function changesOf(bodies: readonly ResourceBody[]): Changes {
  const upserts = bodies.map((body) => ({ name: resourceName(body), version: "1", body }));
  return { upserts, removals: [] };
}

function clusterObjects(
  pod: TestPod,
  protocols: Readonly<Record<number, string>>,
): readonly Manifest[] {
  const enabled = { "weft.dev/mesh": "enabled" };
  const { address, port } = SERVICE;
  const ports = Object.entries(protocols).map(([target, appProtocol]) => ({
    name: target === "8080" ? "" : `p${target}`,
    port: target === "8080" ? port : Number(target),
    targetPort: Number(target),
    protocol: "TCP",
    ...(appProtocol === "" ? {} : { appProtocol }),
  }));
  const shop = { name: "api", namespace: "shop" };
  const slice = {
    name: "api-1",
    namespace: "shop",
    labels: { "kubernetes.io/service-name": "api" },
  };
  const targetRef = { kind: "Pod", name: "b", namespace: "shop", uid: "uid-b" };
  const endpoints = [
    { addresses: [pod.v4], conditions: { ready: true }, nodeName: "node-b", targetRef },
  ];
  return [
    {
      apiVersion: "weft.dev/v1",
      kind: "MeshConfig",
      metadata: { name: "default" },
      spec: { trustDomainAliases: ["old.example"] },
    },
    ...["shop", "ops"].map((name) => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: enabled },
    })),
    calledPod(pod, LABELS),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: shop,
      spec: { clusterIP: address, clusterIPs: [address], selector: { app: "api" }, ports },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: slice,
      addressType: "IPv4",
      ports: [{ name: "", port: 8080, protocol: "TCP" }],
      endpoints,
    },
  ];
}

function calledPod(pod: TestPod, labels: Readonly<Record<string, string>>): Manifest {
  const addresses = [{ ip: pod.v4 }, { ip: pod.v6 }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "b", namespace: "shop", uid: "uid-b", labels },
    spec: { nodeName: "node-b", serviceAccountName: "b", containers: [] },
    status: { phase: "Running", podIP: pod.v4, podIPs: addresses },
  };
}
