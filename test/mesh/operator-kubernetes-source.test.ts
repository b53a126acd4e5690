/** The real operator as its own process, on an API server (a fake one, whose watches stay silent). */
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createCsr } from "../../core/x509/create-csr.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { verifyChain } from "../../core/x509/verify-chain.ts";
import { CertifyClient } from "../../nodeproxy/control/certify.ts";
import type { OperatorLineOptions } from "../../nodeproxy/control/operator-line.ts";
import { createRoot } from "../../operator/ca/root.ts";
import { KubeObjectServer, type SeenWrite } from "../fakes/kube-object-server.ts";
import { OPERATOR } from "../fakes/line-operator.ts";
import { OperatorProcess } from "../fakes/operator-process.ts";
import { WatchingNode } from "../fakes/watching-node.ts";
import { sized } from "../soak.ts";

const POLICY = "/apis/weft.dev/v1/namespaces/shop/authorizationpolicies/deny";
const LEASE = "/apis/coordination.k8s.io/v1/namespaces/weft-system/leases/weft-operator";
const CA = "/api/v1/namespaces/weft-system/secrets/weft-ca";
const ROOTS = "/api/v1/namespaces/weft-system/configmaps/weft-roots";
const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
const resourceVersion = "1";
const metadata = { name: "deny", namespace: "shop", uid: "p", generation: 1, resourceVersion };
const rules = [{ from: [{ source: { namespaces: ["evil"] } }] }];

const LISTS: Readonly<Record<string, readonly object[]>> = {
  "/api/v1/namespaces": [
    { metadata: { name: "mesh", labels: { "weft.dev/mesh": "enabled" }, resourceVersion } },
  ],
  "/api/v1/nodes": [{ metadata: { name: "node-a", uid: "n", resourceVersion } }],
  "/api/v1/pods": [
    {
      metadata: { name: "web", namespace: "mesh", uid: "web", resourceVersion },
      spec: { nodeName: "node-a", serviceAccountName: "web", containers: [] },
      status: { phase: "Running", podIP: "10.1.0.1" },
    },
    {
      metadata: { name: "api", namespace: "mesh", uid: "api", resourceVersion },
      spec: { nodeName: "node-b", serviceAccountName: "api", containers: [] },
      status: { phase: "Running", podIP: "10.1.0.2" },
    },
  ],
  "/api/v1/services": [],
  "/apis/discovery.k8s.io/v1/endpointslices": [],
  "/apis/weft.dev/v1/authorizationpolicies": [{ metadata, spec: { action: "DENY", rules } }],
  "/apis/weft.dev/v1/peerauthentications": [],
  "/apis/weft.dev/v1/requestauthentications": [],
  "/apis/weft.dev/v1/trafficpolicies": [],
  "/apis/weft.dev/v1/meshconfigs": [],
  "/apis/weft.dev/v1/carotations": [],
  "/apis/weft.dev/v1/trustbundles": [],
  "/apis/weft.dev/v1/nodereports": [
    {
      metadata: { name: "node-a", resourceVersion },
      status: {
        reportedAt: "2026-01-01T00:00:00Z",
        captures: [{ uid: "web", state: "captured" }],
      },
    },
  ],
};

let server: KubeObjectServer;
let directory: string;
let open: { close(): Promise<void> }[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "weft-operator-"));
  open = [];
  server = new KubeObjectServer();
  await server.start();
  server.answer = (method, path) => {
    if (path.endsWith("/tokenreviews")) return { status: TOKEN_STATUS };
    const items = method === "GET" ? LISTS[path] : undefined;
    return items && { kind: "List", metadata: { resourceVersion: "1" }, items };
  };
  server.put(POLICY, { metadata });
  for (const kind of ["mutating", "validating"]) {
    server.put(`${REGISTRATION}/${kind}webhookconfigurations/weft`, {
      metadata: { name: "weft" },
      webhooks: [{ name: "gate.weft.dev", clientConfig: { service: { name: "weft-operator" } } }],
    });
  }
});

afterEach(async () => {
  for (const one of open.toReversed()) await one.close();
  await server.stop();
  rmSync(directory, { recursive: true });
});

/** Every token is the one of the node proxy on node-b. */
const TOKEN_STATUS = {
  authenticated: true,
  audiences: ["weft"],
  user: {
    username: "system:serviceaccount:weft-system:weft-node-proxy",
    extra: {
      "authentication.kubernetes.io/pod-uid": ["proxy"],
      "authentication.kubernetes.io/node-name": ["node-b"],
    },
  },
};

function startOperator(podName = "weft-operator-0"): OperatorProcess {
  const operator = new OperatorProcess({ directory, server: server.url(), podName });
  open.push(operator);
  return operator;
}

function rootsPem(): string {
  const data = server.get(ROOTS)?.["data"] as { readonly "roots.pem": string };
  return data["roots.pem"];
}

function lineTo(operator: OperatorProcess): OperatorLineOptions {
  const claims = Buffer.from(JSON.stringify({ exp: Date.now() / 1000 + 3600 }));
  return {
    address: operator.grpcAddress,
    roots: rootsPem,
    serverIdentity: OPERATOR,
    token: async () => `e30.${claims.toString("base64url")}.x`,
  };
}

function connectNode(operator: OperatorProcess): WatchingNode {
  const node = new WatchingNode("node-b", lineTo(operator));
  open.push(node);
  return node;
}

/** The chain that the replica issues for a pod, asked as node-b. */
async function chainFor(operator: OperatorProcess, workload: string) {
  const client = new CertifyClient(lineTo(operator));
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const csr = createCsr(privateKey);
  const { signal } = new AbortController();
  try {
    return await client.certify({ workload, csr, signal });
  } finally {
    await client.close();
  }
}

/** The identity in the leaf that the replica issues for pod api, which runs on node-b. */
async function certify(operator: OperatorProcess): Promise<string> {
  const chain = await chainFor(operator, "api");
  const roots = [new X509Certificate(rootsPem()).raw];
  const result = verifyChain({ chain, roots, now: Date.now() });
  if (result.kind === "refused") throw new Error(result.reason);
  return new X509Certificate(result.leaf.der).subjectAltName ?? "";
}

interface Caller {
  readonly server: TLSSocket;
  /** What the server said, once it has ended. */
  readonly answer: Promise<string>;
}

/** As the API server calls: by the Service's name, trusting what the webhook configuration says. */
async function callWebhook(operator: OperatorProcess): Promise<Caller> {
  const { webhooks } = server.get(`${REGISTRATION}/mutatingwebhookconfigurations/weft`) as {
    readonly webhooks: readonly [{ readonly clientConfig: { readonly caBundle: string } }];
  };
  const socket = connect({
    host: "127.0.0.1",
    port: operator.webhookPort,
    servername: "weft-operator.weft-system.svc",
    ca: Buffer.from(webhooks[0].clientConfig.caBundle, "base64"),
  });
  const answer = text(socket);
  answer.catch(() => undefined);
  await once(socket, "secureConnect");
  return { server: socket, answer };
}

const REVIEW = JSON.stringify({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: "r",
    operation: "CREATE",
    namespace: "mesh",
    object: { metadata: { name: "new" }, spec: { containers: [{ name: "c", image: "i" }] } },
  },
});
const ASK = `POST /mutate-pods HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${REVIEW.length}\r\n\r\n`;

function wrote(path: string): Promise<SeenWrite> {
  return server.nextWrite((write) => write.path === path);
}

function holder(): string {
  const spec = server.get(LEASE)?.["spec"] as { readonly holderIdentity?: string } | undefined;
  return spec?.holderIdentity?.split("_")[0] ?? "";
}

test("operator on Kubernetes: makes the CA, publishes roots, leads, writes status, and gives the Lease back", async () => {
  const writes = Promise.all([
    wrote("/api/v1/namespaces/weft-system/secrets"),
    wrote(ROOTS),
    wrote("/apis/coordination.k8s.io/v1/namespaces/weft-system/leases"),
    wrote(`${REGISTRATION}/mutatingwebhookconfigurations/weft`),
    wrote(`${REGISTRATION}/validatingwebhookconfigurations/weft`),
    wrote(`${POLICY}/status`),
  ]);
  const operator = await startOperator().ready();
  const [secret, , , mutating, , status] = await writes;
  expect(Object.keys(secret.body["data"] as object).toSorted()).toEqual([
    "ca.crt",
    "root.key",
    "tls.crt",
    "tls.key",
  ]);
  expect(rootsPem()).toMatch(/^-----BEGIN CERTIFICATE-----/);
  expect(mutating.body).toEqual({
    webhooks: [
      {
        name: "gate.weft.dev",
        clientConfig: { caBundle: Buffer.from(rootsPem()).toString("base64") },
      },
    ],
  });
  expect(status.body).toMatchObject({
    status: {
      conditions: [
        { type: "Accepted", status: "True" },
        { type: "Enforced", status: "True", reason: "NoWorkloads" },
      ],
    },
  });
  operator.kill("SIGTERM");
  expect(await operator.exited).toEqual([0, null]);
  expect(server.get(LEASE)?.["spec"]).toMatchObject({ holderIdentity: "" });
});

test("operator on Kubernetes: says of a route what became of it, where the kind is installed", async () => {
  const parentRef = { group: "", kind: "Service", name: "web", namespace: "mesh" };
  const route = {
    metadata: { name: "r", namespace: "mesh", uid: "r", generation: 2 },
    spec: { parentRefs: [parentRef], rules: [{ backendRefs: [{ name: "web", port: 80 }] }] },
  };
  const group = "/apis/gateway.networking.k8s.io/v1";
  const path = `${group}/namespaces/mesh/grpcroutes/r`;
  server.put(path, route);
  const { answer } = server;
  server.answer = (method, asked, body) => {
    const isList = method === "GET" && asked === `${group}/grpcroutes`;
    if (!isList) return answer?.(method, asked, body);
    return { kind: "List", metadata: { resourceVersion }, items: [server.get(path)] };
  };
  const status = wrote(`${path}/status`);
  startOperator();
  expect((await status).body["status"]).toMatchObject({
    parents: [
      {
        parentRef,
        controllerName: "weft.dev/mesh-controller",
        conditions: [
          { type: "Accepted", status: "False", reason: "NoMatchingParent", observedGeneration: 2 },
          { type: "ResolvedRefs", status: "False", reason: "BackendNotFound" },
        ],
      },
    ],
  });
});

test("operator on Kubernetes: the leader publishes what signs beside the roots, and a replica that starts leaves it there", async () => {
  const published = server.nextWrite(
    ({ query }) => query.get("fieldManager") === "weft-operator-issuers",
  );
  const operator = await startOperator("one").ready();
  const { path, body } = await published;
  expect(path).toBe(ROOTS);
  const [, issuer = new Uint8Array()] = await chainFor(operator, "api");
  expect(body["data"]).toEqual({ "issuers.pem": formatCertificatesPem([issuer]) });
  const started = wrote(ROOTS);
  await startOperator("two").ready();
  expect((await started).query.get("fieldManager")).toBe("weft-operator");
});

test("operator on Kubernetes: a Secret of an earlier version, whose root signs, keeps the root and gets an intermediate", async () => {
  const { certificatesPem, keyPem, rootsPem: old } = createRoot("cluster.local", Date.now());
  const entries = { "tls.crt": certificatesPem, "tls.key": keyPem, "ca.crt": old };
  const data = Object.entries(entries).map(([entry, pem]) => [entry, encode(pem)]);
  const labels = { "app.kubernetes.io/part-of": "weft" };
  const name = { namespace: "weft-system", name: "weft-ca", labels };
  server.put(CA, { metadata: name, type: "kubernetes.io/tls", data: Object.fromEntries(data) });
  const operator = await startOperator().ready();
  expect(rootsPem()).toBe(old);
  const stored = server.get(CA);
  expect(stored).toMatchObject({
    metadata: { labels },
    type: "kubernetes.io/tls",
    data: { "ca.crt": encode(old), "root.key": encode(keyPem) },
  });
  expect(await certify(operator)).toBe("URI:spiffe://cluster.local/ns/mesh/sa/api");
});

function encode(pem: string): string {
  return Buffer.from(pem).toString("base64");
}

test("operator on Kubernetes: a fresh replica says which pods are captured before any node has connected", async () => {
  const operator = await startOperator().ready();
  expect(await connectNode(operator).firstTunnel("web")).toBe(true);
  // Policies and reports are told by the API server, which asks who wants to know.
  expect(await operator.statusOf("/status")).toBe(404);
});

test("operator on Kubernetes: docs/metrics.md lists exactly the metrics that it exposes", async () => {
  const elected = wrote(`${POLICY}/status`);
  const operator = await startOperator().ready();
  await elected;
  await connectNode(operator).firstTunnel("web");
  const page = await operator.metrics();
  const exposed = new Set([...page.matchAll(/^# TYPE (weft_\w+) /gm)].map(([, name = ""]) => name));
  const [, docs = ""] = readFileSync("docs/metrics.md", "utf8").split("\n## Operator\n");
  const listed = new Set([...docs.matchAll(/^\| `(weft_\w+)/gm)].map(([, name = ""]) => name));
  expect([...listed].toSorted()).toEqual([...exposed].toSorted());
  for (const line of [
    "weft_operator_leader 1",
    "weft_operator_source_synced 1",
    "weft_operator_connected_nodes 1",
    "weft_operator_config_pushes_total 1",
    "weft_operator_config_acks_total 1",
  ]) {
    expect(page).toContain(`\n${line}\n`);
  }
  const expiries = page.matchAll(/certificate_expiry_seconds\{certificate="(\w+)"\} (\d+)/g);
  const days = new Map([...expiries].map(([, name, seconds]) => [name, Number(seconds) / 86_400]));
  expect(new Set(days.keys())).toEqual(new Set(["grpc", "intermediate", "root", "webhook"]));
  expect(days.get("root")).toBeCloseTo(3650, 1);
  expect(days.get("intermediate")).toBeCloseTo(365, 1);
  const issued = [
    ...page.matchAll(/certificate_issued_timestamp_seconds\{certificate="(\w+)"\} (\d+)/g),
  ];
  expect(issued.map(([, name]) => name)).toEqual(["grpc", "webhook"]);
  for (const [, , at] of issued) expect(Date.now() / 1000 - Number(at)).toBeLessThan(60);
  const [row = ""] = /^\| `weft_operator_certificate_expiry_seconds.*$/m.exec(docs) ?? [];
  for (const name of days.keys()) expect(row).toContain(`\`${name}\``);
});

test("operator on Kubernetes: of two replicas one leads, the other takes over from a dead one, and nobody else writes status", async () => {
  const authors: string[] = [];
  server.onWrite = ({ path, authorization }) => {
    if (path === `${POLICY}/status`) authors.push(`${authorization} while ${holder()} leads`);
  };
  const firstStatus = wrote(`${POLICY}/status`);
  const [one, two] = [startOperator("one"), startOperator("two")];
  await Promise.all([firstStatus, one.ready(), two.ready()]);
  const first = holder();
  const second = first === "one" ? "two" : "one";
  const [leader, follower] = first === "one" ? [one, two] : [two, one];
  expect(await leader.metrics()).toContain("\nweft_operator_leader 1\n");
  expect(await follower.metrics()).toContain("\nweft_operator_leader 0\n");
  const secondStatus = wrote(`${POLICY}/status`);
  leader.kill("SIGKILL");
  await leader.exited;
  const killedMs = performance.now();
  await secondStatus;
  const takeoverMs = performance.now() - killedMs;
  // The duration of the Lease, and the renewal interval by which its last change was seen late.
  expect(takeoverMs).toBeLessThan(sized(60_000, 12_500));
  expect(authors).toEqual([
    `Bearer ${first} while ${first} leads`,
    `Bearer ${second} while ${second} leads`,
  ]);
});

test("operator on Kubernetes: every replica issues certificates of the one CA, also while nobody leads", async () => {
  const elected = wrote(`${POLICY}/status`);
  const [one, two] = [startOperator("one"), startOperator("two")];
  await Promise.all([elected, one.ready(), two.ready()]);
  const identity = "URI:spiffe://cluster.local/ns/mesh/sa/api";
  expect([await certify(one), await certify(two)]).toEqual([identity, identity]);
  const [leader, follower] = holder() === "one" ? [one, two] : [two, one];
  const dead = holder();
  leader.kill("SIGKILL");
  await leader.exited;
  expect(await certify(follower)).toBe(identity);
  expect(holder()).toBe(dead);
});

test("operator on Kubernetes: a certificate refused is counted by reason, and one line of its log", async () => {
  const operator = await startOperator().ready();
  await expect(chainFor(operator, "nobody")).rejects.toMatchObject({ refusal: "workload_unknown" });
  const counted = 'weft_operator_certificates_refused_total{reason="workload_unknown"} 1';
  expect(await operator.metrics()).toContain(counted);
  const lines = await operator.logged("certificate refused");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { reason: "workload_unknown", node: "node-b", workload: "nobody", address: "127.0.0.1" },
  ]);
});

test("operator on Kubernetes: told to stop it is not ready, answers webhooks for a while, sends its nodes away, and ends with 0", async () => {
  const trusted = wrote(`${REGISTRATION}/mutatingwebhookconfigurations/weft`);
  const operator = await startOperator().ready();
  await trusted;
  const node = connectNode(operator);
  await node.firstTunnel("web");
  const slow = await callWebhook(operator);
  slow.server.write(ASK);
  operator.kill("SIGTERM");
  while ((await operator.readiness()) === 200);
  expect(await operator.readiness()).toBe(503);
  const late = await callWebhook(operator);
  late.server.write(ASK + REVIEW);
  expect(await late.answer).toMatch(/^HTTP\/1.1 200 OK[^]*"allowed":true/);
  slow.server.write(REVIEW);
  expect(await slow.answer).toMatch(/^HTTP\/1.1 200 OK/);
  expect(await operator.exited).toEqual([0, null]);
});

test("operator on Kubernetes: with another CA after a restart the webhooks are trusted again at once", async () => {
  const first = wrote(`${REGISTRATION}/mutatingwebhookconfigurations/weft`);
  const one = await startOperator("one").ready();
  await first;
  const before = rootsPem();
  one.kill("SIGTERM");
  await one.exited;
  const api = server.client();
  await api.call({ method: "DELETE", path: CA });
  const again = wrote(`${REGISTRATION}/mutatingwebhookconfigurations/weft`);
  const two = await startOperator("two").ready();
  const readyMs = performance.now();
  await again;
  // A good deal less than the half minute after which it would have been put right anyway.
  expect(performance.now() - readyMs).toBeLessThan(20_000);
  expect(rootsPem()).not.toBe(before);
  const caller = await callWebhook(two);
  caller.server.end(ASK + REVIEW);
  expect(await caller.answer).toMatch(/^HTTP\/1.1 200 OK/);
});

test("operator on Kubernetes: a leader that hung while another took over writes nothing once it goes on", async () => {
  const authors: string[] = [];
  server.onWrite = ({ path, authorization }) => {
    if (path === `${POLICY}/status`) authors.push(authorization);
  };
  const firstStatus = wrote(`${POLICY}/status`);
  const [one, two] = [startOperator("one"), startOperator("two")];
  await Promise.all([firstStatus, one.ready(), two.ready()]);
  const first = holder();
  const [hung, other] = first === "one" ? [one, two] : [two, one];
  const secondStatus = wrote(`${POLICY}/status`);
  hung.kill("SIGSTOP");
  await secondStatus;
  hung.kill("SIGCONT");
  // Its stream makes it judge all objects anew.
  await connectNode(hung).firstTunnel("web");
  expect(await hung.metrics()).toContain("\nweft_operator_leader 0\n");
  expect(await other.metrics()).toContain("\nweft_operator_leader 1\n");
  expect(authors).toEqual([`Bearer ${first}`, `Bearer ${holder()}`]);
});
