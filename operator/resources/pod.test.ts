import { expect, test } from "@jest/globals";
import { parseKubeObject } from "./kube-object.ts";
import { parseNode } from "./node.ts";
import { type Pod, parsePod } from "./pod.ts";

function readPod(meta: object, spec: unknown, status: unknown = {}): Pod | readonly string[] {
  const metadata = { namespace: "shop", name: "p", uid: "u", ...meta };
  const object = parseKubeObject({ apiVersion: "v1", kind: "Pod", metadata, spec, status });
  if (object.kind === "refused") return object.reasons;
  const parsed = parsePod(object.value);
  return parsed.kind === "refused" ? parsed.reasons : parsed.value;
}

function probesOf(container: object): unknown {
  const pod = readPod({}, { containers: [container] }, { podIP: "10.0.0.1" });
  return "probes" in pod ? pod.probes : pod;
}

test.each([
  ["no controller", [], { "pod-template-hash": "abc" }, "p"],
  ["an owner that is no controller", [{ kind: "Job", name: "j" }], {}, "p"],
  [
    "a Deployment",
    [{ kind: "ReplicaSet", name: "web-abc", controller: true }],
    { "pod-template-hash": "abc" },
    "web",
  ],
  ["a bare ReplicaSet", [{ kind: "ReplicaSet", name: "web-abc", controller: true }], {}, "web-abc"],
  [
    "a StatefulSet",
    [{ kind: "StatefulSet", name: "db", controller: true }],
    { "pod-template-hash": "x" },
    "db",
  ],
])("parsePod(): owner of a pod with %s", (...[, ownerReferences, labels, owner]) => {
  expect(readPod({ ownerReferences, labels }, {})).toMatchObject({ owner });
});

test.each([
  ["no spec", {}, undefined, "spec is missing"],
  ["no uid", { uid: "" }, {}, "metadata.uid is not valid"],
  ["a uid with a space", { uid: "a b" }, {}, "metadata.uid is not valid"],
  ["a name with a slash", { name: "a/b" }, {}, "metadata.name is not a valid name"],
  [
    "an account with a slash",
    {},
    { serviceAccountName: "a/b" },
    "spec.serviceAccountName cannot be part of an identity",
  ],
])("parsePod(): %s is refused", (...[, meta, spec, reason]) => {
  expect(readPod(meta, spec)).toEqual([reason]);
});

test("parsePod(): addresses are canonical, each once, the primary first; garbage is left out", () => {
  const podIPs = [{ ip: "FD00::1" }, { ip: "10.0.0.1" }, { ip: "no" }, {}, "x"];
  const pod = readPod({}, {}, { podIP: "10.0.0.1", podIPs });
  expect(pod).toMatchObject({ addresses: ["10.0.0.1", "fd00::1"], serviceAccount: "default" });
});

test.each([
  ["a number", { httpGet: { port: 80 } }, 80],
  ["a name of the container", { httpGet: { port: "web" } }, 8080],
  ["a number as text", { httpGet: { port: "81" } }, 81],
])("parsePod(): a probe's port given as %s", (_, readinessProbe, port) => {
  const ports = [{ name: "web", containerPort: 8080 }];
  const defaults = { kind: "http", scheme: "HTTP", path: "/", headers: [], timeoutMs: 1000 };
  expect(probesOf({ ports, readinessProbe })).toEqual([{ ...defaults, port }]);
});

test.each([
  ["a port that nothing names", { httpGet: { port: "admin" } }],
  ["a port out of range", { tcpSocket: { port: 70_000 } }],
  ["another host", { tcpSocket: { port: 80, host: "10.0.0.2" } }],
  ["a command", { exec: { command: ["true"] } }],
  ["garbage", { httpGet: "yes", grpc: [] }],
])("parsePod(): a probe with %s never comes over the network", (_, livenessProbe) => {
  expect(probesOf({ livenessProbe })).toEqual([]);
});

test("parsePod(): the same question of two probes is one, with the longer timeout", () => {
  const tcpSocket = { port: 80, host: "10.0.0.1" };
  const readinessProbe = { tcpSocket, timeoutSeconds: 2 };
  const livenessProbe = { tcpSocket, timeoutSeconds: 5 };
  expect(probesOf({ readinessProbe, livenessProbe })).toEqual([
    { kind: "tcp", port: 80, timeoutMs: 5000 },
  ]);
});

test.each([
  ["10.244.1.0/24", ["10.244.1.1"]],
  ["fd00:1::/64", ["fd00:1::1"]],
  ["10.0.0.5/32", []],
  ["nonsense", []],
])("parseNode(): podCIDR %s gives the gateway addresses %j", (podCIDR, addresses) => {
  const object = parseKubeObject({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n" },
    spec: { podCIDR },
  });
  expect(object.kind === "accepted" && parseNode(object.value).addresses).toEqual(addresses);
});

test.each([
  ["7", 7],
  ["1000", 1000],
  ["1001", 1000],
  ["0", 1],
  ["-3", 1],
  ["heavy", 1],
])("parsePod(): annotation weft.dev/weight %s is the weight %d", (text, weight) => {
  const annotations = { "weft.dev/weight": text };
  expect(readPod({ annotations }, {})).toMatchObject({ weight });
});
