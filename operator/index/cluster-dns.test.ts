import { expect, test } from "@jest/globals";
import { parseKubeObject } from "../resources/kube-object.ts";
import { ClusterIndex } from "./cluster-index.ts";

const NODE_LOCAL = "169.254.20.10";
const MESHED = { "weft.dev/mesh": "enabled" };
const DNS = { clusterIPs: ["10.96.0.10", "fd96::a"], ports: [{ port: 53, protocol: "TCP" }] };

const NAMESPACE = { kind: "Namespace" };

interface Meta {
  readonly namespace?: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
}

function put(index: ClusterIndex, metadata: Meta, rest: object): void {
  const object = { apiVersion: "v1", metadata: { ...metadata, uid: `uid-${metadata.name}` } };
  const parsed = parseKubeObject({ ...object, ...rest });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  index.apply({ kind: "upsert", object: parsed.value });
}

function shop(): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  put(index, { name: "shop", labels: MESHED }, NAMESPACE);
  const spec = { nodeName: "a", containers: [] };
  const status = { phase: "Running", podIP: "10.0.0.1" };
  put(index, { namespace: "shop", name: "web" }, { kind: "Pod", spec, status });
  return index;
}

function known(index: ClusterIndex): readonly string[] {
  const body = index.resourcesFor("a").get("enrolment uid-web")?.body;
  return body?.kind === "enrolment" ? body.value.exclusions.dnsAddresses : [];
}

test("ClusterDns: the DNS of the cluster, by its name or its label, both families, is told to every pod", () => {
  const index = shop();
  expect(known(index)).toEqual([NODE_LOCAL]);
  put(index, { namespace: "kube-system", name: "kube-dns" }, { kind: "Service", spec: DNS });
  expect(known(index)).toEqual(["10.96.0.10", NODE_LOCAL, "fd96::a"]);
  const labels = { "k8s-app": "kube-dns" };
  const other = { ...DNS, clusterIPs: ["10.96.0.11"] };
  put(
    index,
    { namespace: "kube-system", name: "rke2-dns", labels },
    { kind: "Service", spec: other },
  );
  expect(known(index)).toContain("10.96.0.11");
});

test("ClusterDns: not while it is in the mesh, where it is called by tunnel", () => {
  const index = shop();
  put(index, { namespace: "kube-system", name: "kube-dns" }, { kind: "Service", spec: DNS });
  put(index, { name: "kube-system", labels: MESHED }, NAMESPACE);
  expect(known(index)).toEqual([NODE_LOCAL]);
  put(index, { name: "kube-system" }, NAMESPACE);
  expect(known(index)).toContain("10.96.0.10");
});

test("ClusterDns: nobody else's Service can take itself out of the mesh by such a name", () => {
  const index = shop();
  const labels = { "k8s-app": "kube-dns" };
  put(index, { namespace: "shop", name: "kube-dns", labels }, { kind: "Service", spec: DNS });
  put(index, { namespace: "kube-system", name: "metrics-server" }, { kind: "Service", spec: DNS });
  expect(known(index)).toEqual([NODE_LOCAL]);
});
