/** The ports of pods that are HTTP, through the index: what makes them so, and what the status says of it. */
import { expect, test } from "@jest/globals";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { ClusterIndex } from "./cluster-index.ts";

const UID = "11111111-1111-1111-1111-111111111111";

function object(kind: string, name: string, fields: Readonly<Record<string, unknown>>): KubeObject {
  const [namespace, own] = name.includes("/") ? name.split("/") : ["", name];
  const apiVersion = /Policy|Authentication/.test(kind) ? "weft.dev/v1" : "v1";
  const { metadata: more = {}, ...rest } = fields;
  const metadata = { namespace, name: own, ...Object(more) };
  const parsed = parseKubeObject({ apiVersion, kind, metadata, ...rest });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

function service(name: string, ...ports: readonly object[]): KubeObject {
  return object("Service", name, { spec: { clusterIP: "None", selector: { app: "api" }, ports } });
}

function createIndex(): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  for (const each of [
    object("Namespace", "shop", { metadata: { labels: { "weft.dev/mesh": "enabled" } } }),
    object("Node", "a", {}),
    service("shop/api", { port: 80, targetPort: "web", appProtocol: "http" }),
    object("Pod", "shop/api-1", {
      metadata: { uid: UID, labels: { app: "api" } },
      spec: {
        nodeName: "a",
        serviceAccountName: "api",
        containers: [{ ports: [{ name: "web", containerPort: 8080 }] }],
      },
      status: { podIP: "10.0.0.5", podIPs: [{ ip: "10.0.0.5" }], phase: "Running" },
    }),
  ]) {
    put(index, each);
  }
  return index;
}

function put(index: ClusterIndex, each: KubeObject): void {
  index.apply({ kind: "upsert", object: each });
}

function policy(name: string, operation: object): KubeObject {
  return object("AuthorizationPolicy", name, {
    spec: { action: "DENY", rules: [{ to: [{ operation }] }] },
  });
}

function portsOf(index: ClusterIndex): readonly string[] {
  index.deliver();
  const body = index.resourcesFor("a").get(`enrolment ${UID}`)?.body;
  const ports = body?.kind === "enrolment" ? body.value.httpPorts : undefined;
  return (ports ?? []).map(({ port, version }) => `${port} ${version}`);
}

function tlsPortsOf(index: ClusterIndex): readonly number[] | undefined {
  index.deliver();
  const body = index.resourcesFor("a").get(`enrolment ${UID}`)?.body;
  return body?.kind === "enrolment" ? body.value.tlsPorts : undefined;
}

function namingPolicy(name: string, ports: readonly string[] = []): KubeObject {
  const to = ports.length > 0 ? { to: [{ operation: { ports } }] } : {};
  const rule = { ...to, when: [{ key: "connection.sni", values: ["api.shop"] }] };
  return object("AuthorizationPolicy", name, { spec: { rules: [rule] } });
}

test("ClusterIndex: TLS is asked for its server once a policy wants to know, where a Service declares it", () => {
  const index = createIndex();
  put(index, service("shop/tls", { port: 443, targetPort: 8443, appProtocol: "https" }));
  expect(tlsPortsOf(index)).toBeUndefined();
  put(index, policy("shop/other", { methods: ["GET"] }));
  expect(tlsPortsOf(index)).toBeUndefined();
  put(index, namingPolicy("shop/names"));
  expect(tlsPortsOf(index)).toEqual([8443]);
  put(index, service("shop/tls", { port: 443, targetPort: 9443, appProtocol: "tls" }));
  expect(tlsPortsOf(index)).toEqual([9443]);
  put(index, service("shop/too", { port: 443, targetPort: 9443, appProtocol: "tcp" }));
  expect(tlsPortsOf(index)).toBeUndefined();
  const state = index.policies().find(({ name }) => name === "names");
  expect(state?.warnings.map(({ message }) => message)).toEqual([
    "Services declare different protocols for port 9443, so it stays opaque",
  ]);
  index.apply({ kind: "delete", object: service("shop/too") });
  expect(tlsPortsOf(index)).toEqual([9443]);
  index.apply({ kind: "delete", object: namingPolicy("shop/names") });
  expect(tlsPortsOf(index)).toBeUndefined();
});

test("ClusterIndex: a condition on the server's name is not said to be ignored where its ports are TLS", () => {
  const index = createIndex();
  put(index, service("shop/tls", { port: 443, targetPort: 8443, appProtocol: "tls" }));
  put(index, namingPolicy("shop/names", ["8443"]));
  index.deliver();
  expect(index.policies()[0]?.notes).toEqual([]);
  put(index, namingPolicy("shop/names", ["8443", "8080"]));
  index.deliver();
  const field = "spec.rules[0].when[0].key";
  expect(index.policies()[0]?.notes).toMatchObject([{ field, effect: "rule_dropped" }]);
  put(index, namingPolicy("shop/names"));
  index.deliver();
  expect(index.policies()[0]?.notes).toMatchObject([{ field, effect: "rule_dropped" }]);
});

test("ClusterIndex: a port is HTTP once a policy asks for it, and until none does any more", () => {
  const index = createIndex();
  expect(portsOf(index)).toEqual([]);
  put(index, policy("shop/p", { ports: ["5432"] }));
  expect(portsOf(index)).toEqual([]);
  put(index, policy("shop/p", { methods: ["GET"] }));
  expect(portsOf(index)).toEqual(["8080 http1"]);
  put(index, policy("shop/p", { methods: ["GET"], ports: ["9000"] }));
  expect(portsOf(index)).toEqual(["8080 http1", "9000 http1"]);
  index.apply({ kind: "delete", object: policy("shop/p", {}) });
  expect(portsOf(index)).toEqual([]);
});

test("ClusterIndex: a RequestAuthentication asks for HTTP as well", () => {
  const index = createIndex();
  const spec = { jwtRules: [{ issuer: "https://a.example" }] };
  const authentication = object("RequestAuthentication", "weft-system/mesh", { spec });
  put(index, authentication);
  expect(portsOf(index)).toEqual(["8080 http1"]);
  const [state] = index.policies().filter(({ kind }) => kind === "RequestAuthentication");
  expect(state?.warnings).toEqual([]);
  put(index, service("shop/api", { port: 80, targetPort: "web" }));
  expect(portsOf(index)).toEqual([]);
  const [later] = index.policies().filter(({ kind }) => kind === "RequestAuthentication");
  expect(later?.warnings.map(({ field }) => field)).toEqual(["spec.jwtRules"]);
});

test("ClusterIndex: what a Service declares is followed", () => {
  const index = createIndex();
  put(index, policy("shop/p", { paths: ["/admin"] }));
  put(index, service("shop/api", { port: 80, targetPort: 9090, appProtocol: "grpc" }));
  expect(portsOf(index)).toEqual(["9090 http2"]);
  index.apply({ kind: "delete", object: service("shop/api") });
  expect(portsOf(index)).toEqual([]);
});

test("ClusterIndex: Services that contradict each other leave the port opaque, and the status says so", () => {
  const index = createIndex();
  put(index, policy("shop/p", { paths: ["/admin"] }));
  put(index, service("shop/other", { port: 8080, appProtocol: "grpc" }));
  expect(portsOf(index)).toEqual([]);
  const [state] = index.policies().filter(({ kind }) => kind === "AuthorizationPolicy");
  expect(state?.warnings.map(({ message }) => message)).toEqual([
    "Services declare different protocols for port 8080, so it stays opaque",
  ]);
});

test("ClusterIndex: attributes of rules that name HTTP ports alone are not said to be ignored", () => {
  const index = createIndex();
  put(index, policy("shop/p", { methods: ["GET"], ports: ["9000"] }));
  index.deliver();
  expect(index.policies()[0]?.notes).toEqual([]);
  put(index, policy("shop/p", { methods: ["GET"] }));
  index.deliver();
  expect(index.policies()[0]?.notes).toEqual([
    { field: "spec.rules[0].to[0].operation.methods", effect: "attribute_erased" },
  ]);
});
