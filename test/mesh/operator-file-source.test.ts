/** The real operator as its own process, on a directory of YAML. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { connect, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Service } from "../../core/model/service.ts";
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createFileKeyStore } from "../../operator/ca/file-key-store.ts";
import { createHierarchy } from "../../operator/ca/intermediate.ts";
import { createCraftedRoot } from "../fakes/crafted-ca.ts";
import { OPERATOR } from "../fakes/line-operator.ts";
import { REQUEST_MANIFESTS, REQUEST_POLICY, REQUEST_SETTINGS } from "../fakes/request-policy.ts";
import { WatchingNode } from "../fakes/watching-node.ts";

const MAIN = new URL("../../operator/main.ts", import.meta.url).pathname;

const SHOP = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { weft.dev/mesh: enabled } }
---
apiVersion: v1
kind: Node
metadata: { name: node-a }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, uid: 11111111-1111-1111-1111-111111111111, labels: { app: web } }
spec: { nodeName: node-a, serviceAccountName: web, containers: [{ name: web, image: web }] }
status: { phase: Running, podIP: 10.1.0.1, podIPs: [{ ip: 10.1.0.1 }] }
`;

function policy(block: string): string {
  return `
apiVersion: weft.dev/v1
kind: AuthorizationPolicy
metadata: { name: deny, namespace: shop }
spec: { action: DENY, rules: [{ from: [{ source: { ipBlocks: ["${block}"] } }] }] }
`;
}

function uidOf(name: string): string {
  return name === "web" ? WEB : `22222222-2222-2222-2222-22222222222${name.length}`;
}

function podOn(node: string, name: string): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, uid: ${uidOf(name)} }
spec: { nodeName: ${node}, containers: [{ name: c, image: i }] }
status: { phase: Running, podIP: 10.1.0.1${name.length} }
`;
}

interface ObjectStatus {
  readonly name: string;
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
}

interface Status {
  readonly objects: readonly ObjectStatus[];
  readonly nodes: readonly {
    readonly node: string;
    readonly connected: boolean;
    readonly captures?: readonly { readonly state: string }[];
  }[];
}

const WEB = "11111111-1111-1111-1111-111111111111";

let directory: string;
let child: ChildProcess | undefined;
const nodes: WatchingNode[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "weft-operator-"));
  mkdirSync(join(directory, "objects"));
  writeFileSync(join(directory, "objects/shop.yaml"), SHOP);
  writeFileSync(join(directory, "objects/policy.yaml"), policy("10.9.0.0/16"));
});

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  child = undefined;
  rmSync(directory, { recursive: true });
});

interface Operator {
  readonly process: ChildProcess;
  readonly admin: string;
  readonly grpcPort: number;
  readonly exited: Promise<unknown[]>;
}

async function startOperator(): Promise<Operator> {
  const files = [
    "--source",
    `file:${join(directory, "objects")}`,
    "--ca-dir",
    join(directory, "ca"),
  ];
  const token = ["--join-token-file", join(directory, "join-token")];
  const roots = ["--roots-out", join(directory, "roots.pem")];
  const listen = ["--grpc-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
  const args = ["--no-warnings", MAIN, ...files, ...token, ...roots, ...listen];
  const started = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  child = started;
  const exited = once(started, "exit");
  let adminPort = 0;
  for await (const line of createInterface({ input: started.stderr })) {
    const { msg, port } = JSON.parse(line) as { readonly msg: string; readonly port: number };
    if (msg === "metrics listen") adminPort = port;
    if (msg !== "ready") continue;
    started.stderr.resume();
    return { process: started, admin: `http://127.0.0.1:${adminPort}`, grpcPort: port, exited };
  }
  throw new Error("the operator ended before it was ready");
}

function connectNode(node: string, grpcPort: number): WatchingNode {
  const connected = new WatchingNode(node, {
    address: `127.0.0.1:${grpcPort}`,
    roots: () => readFileSync(join(directory, "roots.pem"), "utf8"),
    serverIdentity: OPERATOR,
    token: async () => readFileSync(join(directory, "join-token"), "utf8"),
    self: { node, instance: node },
  });
  nodes.push(connected);
  return connected;
}

async function get(url: string): Promise<string> {
  const response = await fetch(url);
  return `${response.status} ${await response.text()}`;
}

async function statusOf(admin: string): Promise<Status> {
  return (await (await fetch(`${admin}/status`)).json()) as Status;
}

/** Asks again until it is so; jest's timeout ends it otherwise. */
async function statusWhen(admin: string, isSo: (status: Status) => boolean): Promise<Status> {
  for (;;) {
    const status = await statusOf(admin);
    if (isSo(status)) return status;
  }
}

function accepted(status: Status): string | undefined {
  const [object] = status.objects;
  return object?.conditions.find(({ type }) => type === "Accepted")?.status;
}

/** On the test's directories, as it has left them. */
function refusedStart(): Promise<readonly [unknown, string]> {
  return refusedArguments([
    "--source",
    `file:${join(directory, "objects")}`,
    "--ca-dir",
    join(directory, "ca"),
    "--join-token-file",
    join(directory, "join-token"),
    "--grpc-listen",
    "127.0.0.1:0",
    "--metrics-listen",
    "127.0.0.1:0",
  ]);
}

async function refusedArguments(args: readonly string[]): Promise<readonly [unknown, string]> {
  const started = spawn(process.execPath, ["--no-warnings", MAIN, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  child = started;
  const exited = once(started, "exit");
  const told = await text(started.stderr);
  return [(await exited)[0], told];
}

test("operator on files: gets ready, tells status and metrics, publishes roots, keeps its secrets to itself", async () => {
  const { admin } = await startOperator();
  expect(await get(`${admin}/readyz`)).toBe("200 ok\n");
  expect(await get(`${admin}/livez`)).toBe("200 ok\n");
  const metrics = await get(`${admin}/metrics`);
  expect(metrics).toContain('weft_build_info{program="weft-operator"');
  expect(metrics).toContain("weft_operator_streams 0");
  const status = await statusOf(admin);
  expect(status.nodes).toEqual([{ node: "node-a", connected: false }]);
  expect(status.objects).toMatchObject([
    {
      name: "deny",
      conditions: [
        { type: "Accepted", status: "True" },
        {
          type: "Enforced",
          status: "False",
          message: "0 of 1 nodes; waiting for node-a (not connected)",
        },
      ],
    },
  ]);
  expect(readFileSync(join(directory, "roots.pem"), "utf8")).toMatch(
    /^-----BEGIN CERTIFICATE-----/,
  );
  expect(statSync(join(directory, "join-token")).mode & 0o777).toBe(0o600);
});

async function handshake(port: number, ca: string): Promise<TLSSocket> {
  const options = { host: "127.0.0.1", port, servername: "localhost", ca };
  const socket = connect({ ...options, ALPNProtocols: ["h2"] });
  await once(socket, "secureConnect");
  return socket;
}

test("operator on files: its gRPC server shows the operator's identity under the published roots", async () => {
  const { grpcPort } = await startOperator();
  const ca = readFileSync(join(directory, "roots.pem"), "utf8");
  const socket = await handshake(grpcPort, ca);
  expect(socket.getPeerCertificate().subjectaltname).toContain(
    "URI:spiffe://cluster.local/ns/weft-system/sa/weft-operator",
  );
  expect([socket.authorized, socket.getProtocol()]).toEqual([true, "TLSv1.3"]);
  socket.destroy();
});

test("operator on files: a policy that becomes bad is marked, and good again once it is mended", async () => {
  const { admin } = await startOperator();
  expect(accepted(await statusOf(admin))).toBe("True");
  writeFileSync(join(directory, "objects/policy.yaml"), policy("10.9.0.0/99"));
  const bad = await statusWhen(admin, (status) => accepted(status) === "False");
  expect(JSON.stringify(bad.objects)).toContain("spec.rules[0].from[0].source.ipBlocks[0]");
  writeFileSync(join(directory, "objects/policy.yaml"), policy("10.8.0.0/16"));
  await statusWhen(admin, (status) => accepted(status) === "True");
});

test("operator on files: a TrustBundle reaches the node as a bundle of its own, is Enforced, and goes with its file", async () => {
  rmSync(join(directory, "objects/policy.yaml"));
  const partner = createCraftedRoot("partner");
  const file = join(directory, "objects/partner.yaml");
  writeFileSync(
    file,
    JSON.stringify({
      apiVersion: "weft.dev/v1",
      kind: "TrustBundle",
      metadata: { name: "partner" },
      spec: { trustDomain: "partner.example", roots: formatCertificatesPem([partner.der]) },
    }),
  );
  const { admin, grpcPort } = await startOperator();
  const node = connectNode("node-a", grpcPort);
  const { body } = await node.received(({ name }) => name === "partner.example");
  expect(body).toMatchObject({
    kind: "bundle",
    value: { issuer: "", retired: [], roots: [Buffer.from(partner.der)] },
  });
  node.report([{ uid: WEB, state: "captured" }]);
  await statusWhen(admin, (status) => enforced(status) === "True Enforced");
  rmSync(file);
  await node.removed("bundle partner.example");
});

test("operator on files: a TrafficPolicy reaches the node, is Enforced, and what is read of it is what was written", async () => {
  rmSync(join(directory, "objects/policy.yaml"));
  const file = join(directory, "objects/traffic.yaml");
  writeFileSync(
    file,
    JSON.stringify({
      apiVersion: "weft.dev/v1",
      kind: "TrafficPolicy",
      metadata: { name: "web", namespace: "shop" },
      spec: {
        targetRefs: [{ kind: "Service", name: "web" }],
        loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 251 } } },
        outlierDetection: {},
      },
    }),
  );
  const { admin, grpcPort } = await startOperator();
  const node = connectNode("node-a", grpcPort);
  const { body } = await node.received(({ name }) => name === "shop/web");
  expect(body).toMatchObject({
    kind: "traffic",
    value: {
      services: ["shop/web"],
      algorithm: "maglev",
      settings: {
        maglevTableSize: 251,
        outliers: { consecutiveFailures: 5, minHealthPercent: 0 },
        tcpCheck: undefined,
      },
    },
  });
  node.report([{ uid: WEB, state: "captured" }]);
  const status = await statusWhen(admin, (each) => enforced(each) === "True Enforced");
  expect(JSON.stringify(status.objects)).toContain("there is no Service web");
  rmSync(file);
  await node.removed("traffic shop/web");
});

test("operator on files: what a TrafficPolicy says of requests reaches the node, and makes a port HTTP while it is there", async () => {
  rmSync(join(directory, "objects/policy.yaml"));
  const file = join(directory, "objects/traffic.yaml");
  writeFileSync(join(directory, "objects/service.yaml"), REQUEST_MANIFESTS);
  writeFileSync(file, REQUEST_POLICY);
  const { admin, grpcPort } = await startOperator();
  const node = connectNode("node-a", grpcPort);
  const { body } = await node.received(({ body: { kind } }) => kind === "traffic");
  expect(body).toEqual({
    kind: "traffic",
    value: {
      ref: "shop/web",
      services: ["shop/web"],
      algorithm: "peak_ewma",
      settings: {
        ...DEFAULT_TRAFFIC_SETTINGS,
        outliers: {
          consecutiveFailures: 5,
          baseEjectionMs: 30_000,
          maxEjectionPercent: 10,
          minHealthPercent: 0,
        },
        http: REQUEST_SETTINGS,
      },
    },
  });
  expect(await portsOf(node, 0)).toEqual([
    { port: 80, name: "web", appProtocol: "", http: "http1" },
    { port: 3306, name: "db", appProtocol: "mysql" },
  ]);
  const settings = await node.received(({ name, body: of }) => {
    return name === "mesh" && of.kind === "settings" && of.value.tracing !== undefined;
  });
  expect(settings.body).toMatchObject({
    value: {
      tracing: { service: "telemetry/otel", port: 4317, partsPerMillion: 250_000 },
      rateLimitService: { service: "limits/ratelimit", port: 8081, timeoutMs: 50, failOpen: true },
    },
  });
  node.report([{ uid: WEB, state: "captured" }]);
  await statusWhen(admin, (each) => enforced(each) === "True Enforced");
  const before = node.batches.length;
  rmSync(file);
  expect((await portsOf(node, before))[0]).toEqual({ port: 80, name: "web", appProtocol: "" });
});

/** Of the Service in the first batch from there on that tells of it. */
async function portsOf(node: WatchingNode, from: number): Promise<Service["ports"]> {
  const old = new Set(node.batches.slice(0, from).flatMap(({ upserts }) => upserts));
  const { body } = await node.received((resource) => {
    return resource.body.kind === "service" && !old.has(resource);
  });
  return body.kind === "service" ? body.value.ports : [];
}

function enforced({ objects }: Status): string {
  const condition = objects[0]?.conditions.find(({ type }) => type === "Enforced");
  return `${condition?.status} ${condition?.reason}`;
}

test("operator on files: a policy is Enforced once every pod that it rules is captured, and not while a new one is not", async () => {
  const { admin, grpcPort } = await startOperator();
  const node = connectNode("node-a", grpcPort);
  node.report([{ uid: WEB, state: "pending" }]);
  await statusWhen(admin, (status) => enforced(status) === "False NotCaptured");
  node.report([{ uid: WEB, state: "captured" }]);
  await statusWhen(admin, (status) => enforced(status) === "True Enforced");
  writeFileSync(join(directory, "objects/api.yaml"), podOn("node-a", "api"));
  await node.received(({ body }) => body.kind === "enrolment" && body.value.name === "api");
  const status = await statusOf(admin);
  expect(enforced(status)).not.toBe("True Enforced");
  writeFileSync(join(directory, "objects/db.yaml"), podOn("node-b", "db"));
  node.report(["web", "api"].map((name) => ({ uid: uidOf(name), state: "captured" })));
  const waiting = await statusWhen(admin, (each) => JSON.stringify(each).includes("1 of 2 nodes"));
  expect(enforced(waiting)).toBe("False Progressing");
  expect(JSON.stringify(waiting)).toContain("waiting for node-b (not connected)");
});

test("operator on files: a CA that is put in the place of the one before serves without a restart", async () => {
  const { grpcPort } = await startOperator();
  const before = readFileSync(join(directory, "roots.pem"), "utf8");
  const place = join(directory, "ca");
  const keyStore = createFileKeyStore(place);
  const stored = await keyStore.read();
  if (!stored) throw new Error("no CA");
  const next = createHierarchy({ trustDomain: "cluster.local", place, now: Date.now() });
  const published = new Promise<void>((resolve) => {
    const watcher = watch(directory, (_, name) => {
      if (name !== "roots.pem") return;
      watcher.close();
      resolve();
    });
  });
  expect(await keyStore.replace(stored, next)).toBe("replaced");
  await published;
  const after = readFileSync(join(directory, "roots.pem"), "utf8");
  expect(after).toBe(next.rootsPem);
  expect(after).not.toBe(before);
  const socket = await handshake(grpcPort, after);
  expect(socket.authorized).toBe(true);
  socket.destroy();
});

test("operator on files: SIGTERM stops it with 0, and a restart keeps the roots and the join token", async () => {
  const first = await startOperator();
  const roots = readFileSync(join(directory, "roots.pem"), "utf8");
  const token = readFileSync(join(directory, "join-token"), "utf8");
  first.process.kill("SIGTERM");
  expect(await first.exited).toEqual([0, null]);
  await expect(fetch(`${first.admin}/readyz`)).rejects.toThrow("fetch failed");
  await startOperator();
  expect(readFileSync(join(directory, "roots.pem"), "utf8")).toBe(roots);
  expect(readFileSync(join(directory, "join-token"), "utf8")).toBe(token);
});

test("operator on files: killed and started again, it still says which pods are captured before any node has reported", async () => {
  const first = await startOperator();
  const reporting = connectNode("node-a", first.grpcPort);
  expect(await reporting.firstTunnel(WEB)).toBe(false);
  reporting.report([{ uid: WEB, state: "captured" }]);
  await reporting.received(({ body }) => body.kind === "workload" && body.value.tunnel);
  first.process.kill("SIGKILL");
  await first.exited;
  await reporting.close();
  const second = await startOperator();
  expect(await connectNode("node-b", second.grpcPort).firstTunnel(WEB)).toBe(true);
});

test("operator on files: a captured pod whose node proxy starts again keeps its tunnel, also over a kill of the operator", async () => {
  const first = await startOperator();
  const reporting = connectNode("node-a", first.grpcPort);
  reporting.report([{ uid: WEB, state: "captured" }]);
  await reporting.received(({ body }) => body.kind === "workload" && body.value.tunnel);
  reporting.report([{ uid: WEB, state: "pending" }]);
  await statusWhen(first.admin, ({ nodes }) => nodes[0]?.captures?.[0]?.state === "pending");
  first.process.kill("SIGKILL");
  await first.exited;
  await reporting.close();
  const second = await startOperator();
  expect(await connectNode("node-b", second.grpcPort).firstTunnel(WEB)).toBe(true);
});

test("operator on files: a released pod stays released over a restart", async () => {
  const first = await startOperator();
  const reporting = connectNode("node-a", first.grpcPort);
  reporting.report([{ uid: WEB, state: "captured" }]);
  await reporting.received(({ body }) => body.kind === "workload" && body.value.tunnel);
  const batches = reporting.batches.length;
  reporting.report([{ uid: WEB, state: "releasing" }]);
  await reporting.received((resource) => {
    const { body } = resource;
    const isLater = reporting.batches
      .slice(batches)
      .some(({ upserts }) => upserts.includes(resource));
    return isLater && body.kind === "workload" && !body.value.tunnel;
  });
  first.process.kill("SIGKILL");
  await first.exited;
  await reporting.close();
  const second = await startOperator();
  expect(await connectNode("node-b", second.grpcPort).firstTunnel(WEB)).toBe(false);
});

test("operator: bad flags give 2 and every problem at once", async () => {
  const [code, told] = await refusedArguments([
    "--source",
    "ftp:x",
    "--grpc-listen",
    "nowhere",
    "--loud",
  ]);
  expect(code).toBe(2);
  for (const flag of ["--source", "--grpc-listen", "--loud", "--ca-dir", "--join-token-file"]) {
    expect(told).toContain(flag);
  }
});

test("operator: a port that is taken ends the start with 1 and says so", async () => {
  const { admin } = await startOperator();
  const running = child;
  const taken = new URL(admin).host;
  const [code, told] = await refusedArguments([
    "--source",
    `file:${join(directory, "objects")}`,
    "--ca-dir",
    join(directory, "ca"),
    "--join-token-file",
    join(directory, "join-token"),
    "--metrics-listen",
    taken,
  ]);
  child = running;
  expect(code).toBe(1);
  expect(told).toContain("EADDRINUSE");
});

test("operator on files: an issuer of cert-manager, which only a cluster has, is not answered by a root of our own", async () => {
  const config = { apiVersion: "weft.dev/v1", kind: "MeshConfig", metadata: { name: "default" } };
  const spec = { certificates: { issuerRef: { name: "corporate" } } };
  writeFileSync(join(directory, "objects/mesh.yaml"), JSON.stringify({ ...config, spec }));
  const [code, told] = await refusedStart();
  expect(code).toBe(1);
  expect(told).toContain("cert-manager needs a cluster");
});

test("operator: a CA that ends before a leaf would ends the start with 1, a code, and the way out", async () => {
  const soon = createCraftedRoot("soon", { notAfterMs: Date.now() + 3_600_000 });
  const pem = formatCertificatesPem([soon.der]);
  mkdirSync(join(directory, "ca/ca"), { recursive: true });
  const entries = { "tls.crt": pem, "ca.crt": pem, "tls.key": soon.keyPem };
  for (const [entry, content] of Object.entries(entries)) {
    writeFileSync(join(directory, "ca/ca", entry), content, { mode: 0o600 });
  }
  const [code, told] = await refusedStart();
  expect(code).toBe(1);
  expect(told).toContain('"reason":"ca_expires_soon"');
  expect(told).toContain("renew it");
});
