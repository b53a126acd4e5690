/** The real weftctl as its own process, on a cluster that behaves: releasing a namespace empties the reports. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createCraftedRoot } from "../fakes/crafted-ca.ts";
import { SmallCluster } from "../fakes/small-cluster.ts";

const MAIN = new URL("../../cli/main.ts", import.meta.url).pathname;

let cluster: SmallCluster;
let directory: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "weft-ctl-"));
  cluster = new SmallCluster();
  await cluster.start();
});

afterEach(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true });
});

interface Outcome {
  readonly code: unknown;
  readonly json: Readonly<Record<string, unknown>>;
}

async function run(args: readonly string[]): Promise<{ code: unknown; shown: string }> {
  const kubeconfig = join(directory, "kubeconfig");
  writeFileSync(kubeconfig, cluster.kubeconfig());
  const flags = ["--kubeconfig", kubeconfig];
  const child = spawn(process.execPath, ["--no-warnings", MAIN, ...args, ...flags], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [shown, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return { code, shown };
}

async function weftctl(...args: readonly string[]): Promise<Outcome> {
  const { code, shown } = await run([...args, "--json"]);
  return { code, json: JSON.parse(shown) as Outcome["json"] };
}

/** For people. */
async function printed(...args: readonly string[]): Promise<string> {
  return (await run(args)).shown;
}

async function exitCode(...args: readonly string[]): Promise<unknown> {
  const child = spawn(process.execPath, ["--no-warnings", MAIN, ...args], { stdio: "ignore" });
  const [code] = await once(child, "exit");
  return code;
}

test("weftctl status: says with 1 that nothing is installed", async () => {
  expect(await weftctl("status")).toMatchObject({ code: 1, json: { installed: false } });
});

test("weftctl status: a working mesh is healthy, with its captured pods", async () => {
  cluster.install();
  expect(await weftctl("status")).toMatchObject({
    code: 0,
    json: {
      installed: true,
      healthy: true,
      operator: { ready: 2, wanted: 2 },
      nodes: [{ node: "node-a", version: "1", captured: 1, failed: 0 }],
      namespaces: [{ namespace: "shop", pods: 1, captured: 1 }],
      notCaptured: [],
    },
  });
});

test("weftctl status and check: a refused policy is named with its reason, and makes both fail", async () => {
  cluster.install();
  cluster.put("/apis/weft.dev/v1/authorizationpolicies", {
    metadata: { name: "bad", namespace: "shop" },
    status: { conditions: [{ type: "Accepted", status: "False", message: "spec.rules: empty" }] },
  });
  const status = await weftctl("status");
  expect(status).toMatchObject({
    code: 1,
    json: { healthy: false, policies: [{ name: "shop/bad", accepted: "False" }] },
  });
  const { code, json } = await weftctl("check");
  expect(code).toBe(1);
  expect(json["findings"]).toContainEqual({
    check: "policy",
    level: "fail",
    message: "AuthorizationPolicy shop/bad: spec.rules: empty",
  });
});

test("weftctl check: the rules that a node cannot put in are told as iptables said them", async () => {
  cluster.install();
  const passed = await weftctl("check");
  expect(passed).toMatchObject({ code: 0, json: { passed: true } });
  const checks = (passed.json["findings"] as { readonly check: string }[]).map(
    ({ check }) => check,
  );
  expect(new Set(checks)).toEqual(
    new Set([
      "kubernetes",
      "nodes",
      "clock",
      "network plugin",
      "network policies",
      "operator",
      "node proxies",
      "iptables",
    ]),
  );
  cluster.capture = "failed rules_failed";
  expect(await weftctl("check")).toMatchObject({ code: 1, json: { passed: false } });
});

test("weftctl check: what an accepted policy cannot do as written is a warning, and passes", async () => {
  cluster.install();
  const message = "spec.rules[0].to[0].operation.methods: cannot be seen on an opaque port";
  cluster.put("/apis/weft.dev/v1/authorizationpolicies", {
    metadata: { name: "get", namespace: "shop" },
    status: {
      conditions: [
        { type: "Accepted", status: "True", message },
        { type: "Enforced", status: "True", message: "1 of 1 nodes" },
      ],
    },
  });
  const { code, json } = await weftctl("check");
  expect(code).toBe(0);
  expect(json["findings"]).toContainEqual({
    check: "policy",
    level: "warn",
    message: `AuthorizationPolicy shop/get: ${message}`,
  });
});

test("weftctl: a wrong call, a kubeconfig that is not there and a server that is away give 2, 2 and 1", async () => {
  const missing = join(directory, "none");
  expect(await exitCode("stauts")).toBe(2);
  expect(await exitCode("status", "--kubeconfig", missing)).toBe(2);
  const kubeconfig = join(directory, "away");
  const server = "http://127.0.0.1:1";
  writeFileSync(kubeconfig, cluster.kubeconfig().replace(/http:\/\/127\.0\.0\.1:\d+/, server));
  expect(await exitCode("status", "--kubeconfig", kubeconfig)).toBe(1);
  expect(await exitCode("status", "--kubeconfig", kubeconfig, "--context", "nobody")).toBe(2);
});

const IDENTITY = "spiffe://cluster.local/ns/shop/sa/default";
const HOUR_MS = 3_600_000;

function inHours(hours: number): string {
  return new Date(Date.now() + hours * HOUR_MS).toISOString();
}

test("weftctl ca status: 1 where nothing is installed, 2 where it is called wrong", async () => {
  expect(await weftctl("ca", "status")).toMatchObject({
    code: 1,
    json: { healthy: false, roots: [], leaves: [] },
  });
  expect([await exitCode("ca"), await exitCode("ca", "status", "now")]).toEqual([2, 2]);
});

test("weftctl ca status: every certificate with its node, issuer and time left, and 0", async () => {
  cluster.install();
  const root = createCraftedRoot("mesh root", { notAfterMs: Date.now() + 9 * HOUR_MS });
  const issuer = certificateFingerprint(root.der);
  cluster.putRoots(formatCertificatesPem([root.der]));
  cluster.leaves = [{ identity: IDENTITY, issuer, notAfter: inHours(20) }];
  const { code, json } = await weftctl("ca", "status");
  expect([code, json["healthy"]]).toEqual([0, true]);
  expect(json).toMatchObject({
    roots: [{ fingerprint: issuer, subject: "O=Crafted, CN=mesh root" }],
    issuers: [{ fingerprint: issuer, leaves: 1 }],
    leaves: [{ node: "node-a", identity: IDENTITY, issuer, state: "valid" }],
  });
  const [leaf] = json["leaves"] as readonly [{ readonly secondsLeft: number }];
  expect(Math.abs(leaf.secondsLeft - 20 * 3600)).toBeLessThan(60);
});

test("weftctl ca status: a renewal that is late, and a pod without a certificate, each make it 1", async () => {
  cluster.install();
  const root = createCraftedRoot("mesh root", { notAfterMs: Date.now() + 9 * HOUR_MS });
  const issuer = certificateFingerprint(root.der);
  cluster.putRoots(formatCertificatesPem([root.der]));
  cluster.leaves = [{ identity: IDENTITY, issuer, notAfter: inHours(2) }];
  expect(await weftctl("ca", "status")).toMatchObject({
    code: 1,
    json: { leaves: [{ identity: IDENTITY, state: "renewal_late" }] },
  });
  cluster.leaves = [];
  expect(await weftctl("ca", "status")).toMatchObject({
    code: 1,
    json: { leaves: [{ node: "node-a", identity: IDENTITY, state: "missing" }] },
  });
});

test("weftctl ca status: what signs, what the operator serves, and the rotation under way", async () => {
  cluster.install();
  const notAfterMs = Date.now() + 9 * HOUR_MS;
  const root = createCraftedRoot("mesh root", { notAfterMs });
  const signer = root.issue({ commonName: "signer", isCa: true, notAfterMs });
  cluster.putRoots(formatCertificatesPem([root.der]), formatCertificatesPem(signer.chain));
  const issuer = certificateFingerprint(signer.der);
  cluster.leaves = [{ identity: IDENTITY, issuer, notAfter: inHours(20) }];
  cluster.operator.put("root-1", { authority: "root" }, "Add");
  expect(await weftctl("ca", "status")).toMatchObject({
    code: 0,
    json: {
      healthy: true,
      unknown: [],
      intermediates: [{ fingerprint: issuer, subject: "O=Crafted, CN=signer", state: "valid" }],
      issuers: [{ fingerprint: issuer, subject: "O=Crafted, CN=signer", leaves: 1 }],
      servers: [
        { pod: "op-1", certificate: "grpc", state: "valid", renewedBy: "operator" },
        { pod: "op-1", certificate: "webhook", state: "valid" },
      ],
      rotation: { name: "root-1", phase: "Add", nodesProven: "0/2" },
    },
  });
  cluster.tellMetrics({ grpc: 2, webhook: 20 });
  expect(await weftctl("ca", "status")).toMatchObject({
    code: 1,
    json: { servers: [{ certificate: "grpc", state: "renewal_late" }, {}] },
  });
});

test("weftctl ca status: 0 without the right to see the operator's metrics, 2 where nobody answers", async () => {
  cluster.install();
  const root = createCraftedRoot("mesh root", { notAfterMs: Date.now() + 9 * HOUR_MS });
  cluster.putRoots(formatCertificatesPem([root.der]));
  cluster.leaves = [{ identity: IDENTITY, issuer: "ab", notAfter: inHours(20) }];
  cluster.refuseMetrics(403);
  const shown = await run(["ca", "status"]);
  expect(shown.code).toBe(0);
  expect(shown.shown).toContain("not_seen: needs the right to get pods/proxy in weft-system");
  cluster.refuseMetrics(503);
  expect(await weftctl("ca", "status")).toMatchObject({
    code: 2,
    json: { healthy: true, servers: [{ state: "unanswered" }, { state: "unanswered" }] },
  });
  const away = join(directory, "away");
  const server = "http://127.0.0.1:1";
  writeFileSync(away, cluster.kubeconfig().replace(/http:\/\/127\.0\.0\.1:\d+/, server));
  expect(await exitCode("ca", "status", "--kubeconfig", away)).toBe(2);
});

test("weftctl ca status: for people, tables with the time left in two units", async () => {
  cluster.install();
  const root = createCraftedRoot("mesh root", { notAfterMs: Date.now() + 9 * HOUR_MS });
  cluster.putRoots(formatCertificatesPem([root.der]));
  const notAfter = inHours(20.51);
  cluster.leaves = [{ identity: IDENTITY, issuer: "0123456789abcdef", notAfter }];
  const shown = await printed("ca", "status");
  expect(shown).toMatch(
    /^ROOT +FINGERPRINT +LEFT +RENEWED BY +BEGAN +STATE\nO=Crafted, CN=mesh root +\w{12} +8h 59m +owner +1h.* ago +valid$/m,
  );
  expect(shown).toMatch(/^op-1 +webhook +20h +operator +\d+s ago +valid$/m);
  expect(shown).toMatch(/^node-a +spiffe:\S+ +20h 30m +0123456789ab +node-proxy +- +valid$/m);
});

test("weftctl check --before: a cluster that can run the mesh passes without it", async () => {
  const { code, json } = await weftctl("check", "--before");
  expect([code, json["passed"]]).toEqual([0, true]);
  expect(await weftctl("check")).toMatchObject({ code: 1, json: { passed: false } });
});

test("weftctl uninstall: webhooks, gates, labels, then waits until no node holds a pod, then deletes", async () => {
  cluster.install();
  cluster.releaseIn = ["releasing", "releasing draining", "gone"];
  expect(await weftctl("uninstall")).toMatchObject({
    code: 0,
    json: {
      releasedNamespaces: ["shop"],
      openedGates: 2,
      waitingFor: [],
      draining: 0,
      deleted: true,
    },
  });
  expect(cluster.steps).toEqual([
    "DELETE mutatingwebhookconfigurations/weft",
    "DELETE validatingwebhookconfigurations/weft",
    "gate of web open",
    "gate of waiting open",
    "shop not labelled",
    "reports: captured",
    "reports: releasing",
    "reports: releasing draining",
    "reports: none",
    "DELETE namespaces/weft-system",
    "DELETE clusterrolebindings/weft-operator",
    "DELETE clusterroles/weft-operator",
    "DELETE customresourcedefinitions/authorizationpolicies.weft.dev",
    "DELETE customresourcedefinitions/carotations.weft.dev",
    "DELETE customresourcedefinitions/meshconfigs.weft.dev",
    "DELETE customresourcedefinitions/nodereports.weft.dev",
    "DELETE customresourcedefinitions/peerauthentications.weft.dev",
    "DELETE customresourcedefinitions/requestauthentications.weft.dev",
    "DELETE customresourcedefinitions/trafficpolicies.weft.dev",
    "DELETE customresourcedefinitions/trustbundles.weft.dev",
  ]);
  expect(cluster.leftOver()).toEqual([]);
  expect(await weftctl("uninstall")).toMatchObject({ code: 0, json: { deleted: true } });
});

test("weftctl uninstall: where a node does not release in time nothing is deleted, and it is named", async () => {
  cluster.install();
  cluster.releaseIn = [];
  expect(await weftctl("uninstall", "--timeout", "1")).toMatchObject({
    code: 1,
    json: { waitingFor: ["node-a"], deleted: false },
  });
  expect(cluster.steps).not.toContain("DELETE namespaces/weft-system");
  expect(cluster.leftOver()).not.toContain(
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/weft",
  );
});

test("weftctl uninstall: pods that only have open connections hold it up for the time of --drain", async () => {
  cluster.install();
  cluster.releaseIn = ["releasing draining"];
  expect(await weftctl("uninstall", "--drain", "1", "--keep-crds")).toMatchObject({
    code: 0,
    json: { waitingFor: [], draining: 1, deleted: true },
  });
  expect(
    cluster.steps.filter((step) => step === "reports: releasing draining").length,
  ).toBeGreaterThan(1);
  expect(cluster.leftOver()).toHaveLength(8);
  expect(cluster.leftOver().every((path) => path.includes("/customresourcedefinitions/"))).toBe(
    true,
  );
});
