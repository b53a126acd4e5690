/** A world's nodes, pods and services as ordinary Kubernetes YAML: what an operator reads with `--source file:`. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { World, WorldPod } from "./world.ts";

/** A Service over the pods with the label `app: <name>`, in their namespace. */
export interface ServiceWish {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly targetPort: number;
  /** Absent: opaque. */
  readonly appProtocol?: string;
}

/** Files by name; the objects are what `kubectl get -o yaml` would show, less what Weft never reads. */
export function worldManifests(
  world: World,
  services: readonly ServiceWish[],
): Readonly<Record<string, readonly object[]>> {
  const namespaces = [...new Set(world.pods.map(({ namespace }) => namespace))];
  return {
    "namespaces.yaml": namespaces.map((name) => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: { "weft.dev/mesh": "enabled" } },
    })),
    "nodes.yaml": world.nodes.map((node) => ({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: node.name },
      spec: { podCIDR: node.gateway.replace(/1$/, "0/24") },
      status: { addresses: [{ type: "InternalIP", address: node.address }] },
    })),
    "pods.yaml": world.pods.map(podObject),
    ...Object.fromEntries(
      services.map((wish) => [`service-${wish.name}.yaml`, serviceObjects(world, wish)]),
    ),
  };
}

function podObject(of: WorldPod): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: of.name,
      namespace: of.namespace,
      uid: of.uid,
      labels: of.labels,
      annotations: { "weft.dev/netns": of.netns },
    },
    spec: { nodeName: of.node, serviceAccountName: of.serviceAccount, containers: [] },
    status: { phase: "Running", podIP: of.address, podIPs: [{ ip: of.address }] },
  };
}

function serviceObjects(world: World, wish: ServiceWish): readonly object[] {
  const { name, address, port, targetPort, appProtocol } = wish;
  const pods = world.pods.filter(({ labels }) => labels["app"] === name);
  const namespace = pods[0]?.namespace ?? "default";
  const declared = appProtocol === undefined ? {} : { appProtocol };
  const ports = [{ port, targetPort, protocol: "TCP", ...declared }];
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { clusterIP: address, clusterIPs: [address], selector: { app: name }, ports },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: `${name}-1`,
        namespace,
        labels: { "kubernetes.io/service-name": name },
      },
      addressType: "IPv4",
      ports: [{ name: "", port: targetPort, protocol: "TCP" }],
      endpoints: pods.map((of) => ({
        addresses: [of.address],
        conditions: { ready: true },
        nodeName: of.node,
        targetRef: { kind: "Pod", name: of.name, namespace, uid: of.uid },
      })),
    },
  ];
}

/** Written by rename, so that no reader sees half a file. */
export function writeManifest(folder: string, name: string, objects: readonly object[]): void {
  mkdirSync(folder, { recursive: true });
  const text = objects.map((object) => stringify(object)).join("---\n");
  const temporary = join(folder, `.${name}.new`);
  writeFileSync(temporary, text);
  renameSync(temporary, join(folder, name));
}

export function removeManifest(folder: string, name: string): void {
  rmSync(join(folder, name));
}
