/** The real weftctl as its own process, on a cluster that behaves: releasing a namespace empties the reports. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { SmallCluster } from "../fakes/small-cluster.ts";

// Loading the program takes some seconds on a busy machine.
jest.setTimeout(30_000);

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

async function weftctl(...args: readonly string[]): Promise<Outcome> {
  const kubeconfig = join(directory, "kubeconfig");
  writeFileSync(kubeconfig, cluster.kubeconfig());
  const flags = ["--json", "--kubeconfig", kubeconfig];
  const child = spawn(process.execPath, ["--no-warnings", MAIN, ...args, ...flags], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return { code, json: JSON.parse(printed) as Outcome["json"] };
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
    "DELETE mutatingwebhookconfigurations",
    "DELETE validatingwebhookconfigurations",
    "gate of web open",
    "gate of waiting open",
    "shop not labelled",
    "reports: captured",
    "reports: releasing",
    "reports: releasing draining",
    "reports: none",
    "DELETE weft-system",
    "DELETE clusterrolebindings",
    "DELETE clusterroles",
    "DELETE customresourcedefinitions",
  ]);
});

test("weftctl uninstall: where a node does not release in time nothing is deleted, and it is named", async () => {
  cluster.install();
  cluster.releaseIn = [];
  expect(await weftctl("uninstall", "--timeout", "1")).toMatchObject({
    code: 1,
    json: { waitingFor: ["node-a"], deleted: false },
  });
  expect(cluster.steps).not.toContain("DELETE weft-system");
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
  expect(cluster.steps).not.toContain("DELETE customresourcedefinitions");
});
