/**
 * What is told of requests through two node proxies: AUDIT and dry run decide nothing and are logged and counted, and a
 * denied request is followed from its id in the log to the trace of the policies of now.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { policyMark } from "../../nodeproxy/denials/policy-mark.ts";
import { createAccessLog } from "../../nodeproxy/telemetry/access-log.ts";
import { explainDenial } from "../../nodeproxy/why/explain-denial.ts";
import { viewMesh } from "../../nodeproxy/why/mesh-view.ts";
import { A } from "../policy-language.ts";
import { ask, requestText } from "./http-requests.ts";
import { startFromPod } from "./pod-network.ts";
import { createPolicyMesh, type Manifest, type PolicyMesh } from "./policy-mesh.ts";

const START_MS = 30_000;
let world: PolicyMesh;
const application = createServer((request, response) => {
  response.end(`seen ${request.url}`);
});

beforeAll(async () => {
  world = await createPolicyMesh("wl-seen", {
    protocols: { 80: "tcp", 8080: "http" },
    serve: (socket) => application.emit("connection", socket),
  });
  world.become(A);
}, START_MS);

afterAll(async () => {
  application.closeAllConnections();
  await world[Symbol.asyncDispose]();
}, START_MS);

function policy(name: string, action: string, paths: readonly string[]): Manifest {
  return {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name, namespace: "shop" },
    spec: { action, rules: [{ to: [{ operation: { methods: ["GET"], paths } }] }] },
  };
}

function inDryRun(manifest: Manifest): Manifest {
  const annotations = { "weft.dev/dry-run": "true" };
  return { ...manifest, metadata: { ...manifest.metadata, annotations } };
}

/** One request under these policies: its status, its line of the log, and the counts that it has changed. */
async function requestUnder(objects: readonly Manifest[], target: string) {
  const { mesh } = world;
  world.rule(objects);
  const before = await counts();
  const from = mesh.b.ended.length;
  const socket = startFromPod(mesh.network.a, mesh.network.b.v4, 8080);
  const { status } = await ask(socket, requestText({ target, lines: ["x-team: a"] }));
  const told = await requestSince(from);
  const counted = (await counts()).filter((line) => !before.includes(line));
  return { status, counted, line: await lineOf(told) };
}

async function counts(): Promise<readonly string[]> {
  const text = await world.mesh.b.metrics();
  return text.split("\n").filter((line) => line.startsWith("weft_policy_"));
}

/** The answer may be there before the line is. */
async function requestSince(from: number): Promise<PolicyMesh["mesh"]["b"]["ended"][number]> {
  const { b } = world.mesh;
  for (;;) {
    const next = b.nextEnded();
    const found = b.ended.slice(from).find(({ facts }) => facts.request !== undefined);
    if (found) return found;
    await next;
  }
}

/** As the traffic process writes it. */
async function lineOf({
  facts,
  outcome,
}: PolicyMesh["mesh"]["b"]["ended"][number]): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), "weft-seen-"));
  const file = join(folder, "access.log");
  const log = createAccessLog({ file, onDropped: () => undefined });
  log.write(facts, outcome);
  await log.close();
  const text = readFileSync(file, "utf8");
  rmSync(folder, { recursive: true });
  return JSON.parse(text) as Record<string, unknown>;
}

test("requests: [A18] AUDIT lets the request through, and tells it with its rule; another request it does not", async () => {
  const audit = policy("watched", "AUDIT", ["/admin/*"]);
  const { status, line, counted } = await requestUnder([audit], "/admin/users");
  expect(status).toBe(200);
  expect(line["audited"]).toEqual([{ policy: "shop/watched", rule: 0, action: "AUDIT" }]);
  expect(line).not.toHaveProperty("dryRun");
  expect(counted).toEqual([
    'weft_policy_matches_total{policy="shop/watched",rule="0",effect="audited"} 1',
  ]);
  const other = await requestUnder([audit], "/public");
  expect(other.status).toBe(200);
  expect(other.line).not.toHaveProperty("audited");
  expect(other.counted).toEqual([]);
});

test("requests: [A19] a DENY in dry run refuses no request, and tells of each what it would have done", async () => {
  const dry = inDryRun(policy("tried", "DENY", ["/admin/*"]));
  const { status, line, counted } = await requestUnder([dry], "/admin/users");
  expect(status).toBe(200);
  expect(line["dryRun"]).toBe("deny");
  expect(line["dryRunMatches"]).toEqual([{ policy: "shop/tried", rule: 0, action: "DENY" }]);
  expect(counted.join()).toContain('verdict="permit",dry_run="deny"} 1');
  const other = await requestUnder([dry], "/public");
  expect(other.status).toBe(200);
  expect(other.line["dryRun"]).toBe("permit");
  expect(other.line).not.toHaveProperty("dryRunMatches");
});

test("requests: [A20] an ALLOW in dry run neither closes nor opens", async () => {
  const dry = inDryRun(policy("tried", "ALLOW", ["/admin/*"]));
  const closes = await requestUnder([dry], "/public");
  expect([closes.status, closes.line["dryRun"]]).toEqual([200, "deny"]);
  const matches = await requestUnder([dry], "/admin/users");
  expect([matches.status, matches.line["dryRun"]]).toEqual([200, "permit"]);
  const inForce = policy("real", "ALLOW", ["/public"]);
  const opens = await requestUnder([inForce, dry], "/admin/users");
  expect([opens.status, opens.line["code"], opens.line["dryRun"]]).toEqual([
    403,
    "not_allowed",
    "permit",
  ]);
});

test("requests: the id of a denial leads to what was asked for, to its rule, and to what the policies of now say", async () => {
  const denies = policy("no-admin", "DENY", ["/admin/*"]);
  const { status, line } = await requestUnder([denies], "/admin/../admin/users?token=s3cret");
  expect(status).toBe(403);
  const { denial } = line;
  if (typeof denial !== "string") throw new Error(`no id in ${JSON.stringify(line)}`);
  const answer = traceOf(denial);
  expect(answer).toMatchObject({
    kind: "denial",
    decided: "same",
    attempt: {
      id: denial,
      code: "denied_by_policy",
      decided: { policy: "shop/no-admin", rule: 0 },
      facts: {
        peer: { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" },
        request: { method: "GET", path: "/admin/users", host: "api.shop" },
      },
    },
    now: {
      readAs: "http",
      outcome: { kind: "deny", reason: "denied_by_policy", policy: "shop/no-admin", rule: 0 },
    },
  });
  expect(JSON.stringify(answer)).not.toContain("s3cret");
  expect(JSON.stringify(answer)).toContain('["x-team","a"]');
  world.rule([policy("no-admin", "DENY", ["/other"])]);
  expect(traceOf(denial)).toMatchObject({
    decided: "changed",
    now: { outcome: { kind: "permit" } },
  });
  world.rule([]);
  expect(traceOf(denial)).toMatchObject({ decided: "gone" });
});

/** As `weftctl why ID` is answered by the node of the called pod. */
function traceOf(denial: string) {
  const { traffic, told } = world.mesh.b;
  traffic.onMessage({ kind: "denial_request", id: 7, denial }, []);
  const answer = told.findLast((message) => message.kind === "denial" && message.id === 7);
  if (answer?.kind !== "denial") throw new Error("not answered");
  const view = viewMesh("node-b", world.resources());
  return explainDenial(view, { attempt: answer.attempt, markOf: policyMark });
}
