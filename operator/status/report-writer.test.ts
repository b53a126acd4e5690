import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import type { CaptureReport, NodeReport } from "../../core/model/node-report.ts";
import { KubeObjectServer } from "../../test/fakes/kube-object-server.ts";
import type { PolicyState } from "../index/policy-state.ts";
import { PolicyStatusWriter } from "./policy-status-writer.ts";
import { ReportWriter } from "./report-writer.ts";

const POD = "/api/v1/namespaces/shop/pods/web";
const REPORT = "/apis/weft.dev/v1/nodereports/node-a";
const POLICY = "/apis/weft.dev/v1/namespaces/shop/authorizationpolicies/deny";
const log = pino({ enabled: false });

let server: KubeObjectServer;
let writer: ReportWriter;

beforeEach(async () => {
  server = new KubeObjectServer();
  await server.start();
  server.put(POD, {
    metadata: { name: "web", namespace: "shop", uid: "u" },
    status: { conditions: [{ type: "Ready", status: "True" }] },
  });
  writer = new ReportWriter({
    api: server.client(),
    findPod: (uid) =>
      uid === "u" ? { uid, namespace: "shop", name: "web", node: "node-a" } : undefined,
    log,
  });
});

afterEach(async () => {
  await writer.close();
  await server.stop();
});

function report(node: string, capture: Partial<CaptureReport>): NodeReport {
  const whole = { uid: "u", state: "captured", reason: "", message: "", connectionsOutside: 0 };
  const captures = [{ ...whole, ...capture } as CaptureReport];
  return { node, version: "1", captures, leaves: [], bundles: [], olderTunnels: [] };
}

const HELD = new Map([["policy shop/deny", { version: "v1" }]]);
const REPORTED_AT_MS = Date.UTC(2030, 0, 1);

function put(told: NodeReport): void {
  writer.put({
    report: told,
    applied: { held: HELD, refused: [] },
    reportedAtMs: REPORTED_AT_MS,
    tunnels: [],
    kept: { nodeUid: "n", earlier: [], revoked: [] },
  });
}

test("ReportWriter: a capture becomes the pod's condition beside those of others, and a NodeReport that outlives its Node", async () => {
  const both = Promise.all([
    server.nextWrite(({ path }) => path === `${POD}/status`),
    server.nextWrite(({ path }) => path === REPORT),
  ]);
  put(report("node-a", {}));
  await both;
  expect(server.get(POD)?.["status"]).toMatchObject({
    conditions: [
      { type: "Ready", status: "True" },
      { type: "weft.dev/Captured", status: "True", reason: "Captured" },
    ],
  });
  expect(server.get(REPORT)).toMatchObject({
    metadata: { name: "node-a" },
    status: {
      captured: 1,
      failed: 0,
      applied: ["policy shop/deny@v1"],
      // The index's date, not the writer's clock.
      reportedAt: "2030-01-01T00:00:00.000Z",
    },
  });
});

test("ReportWriter: a report that says the same again is not written again", async () => {
  const first = server.nextWrite(({ path }) => path === REPORT);
  put(report("node-a", {}));
  await first;
  put(report("node-a", {}));
  const changed = server.nextWrite(({ path }) => path === REPORT);
  put(report("node-a", { connectionsOutside: 2 }));
  await changed;
  expect(server.writes.filter(({ path }) => path === REPORT)).toHaveLength(2);
});

test("ReportWriter: a failed capture also makes an Event, with the reason in CamelCase", async () => {
  const event = server.nextWrite(({ path }) => path.endsWith("/events"));
  put(report("node-a", { state: "failed", reason: "no_netns", message: "gone" }));
  expect((await event).body).toMatchObject({ type: "Warning", reason: "NoNetns", message: "gone" });
});

test("ReportWriter: a node that reports another node's pod writes nothing on it", async () => {
  const written = server.nextWrite(({ path }) => path.endsWith("/node-b"));
  put(report("node-b", {}));
  await written;
  await writer.close();
  expect(server.writes.map(({ path }) => path)).toEqual(["/apis/weft.dev/v1/nodereports/node-b"]);
});

const STATE: PolicyState = {
  kind: "AuthorizationPolicy",
  namespace: "shop",
  name: "deny",
  uid: "p",
  generation: 4,
  status: undefined,
  accepted: true,
  effect: "full",
  reasons: [],
  warnings: [],
  notes: [],
  proofs: [],
  uncaptured: new Map(),
};

const ACCEPTED = { type: "Accepted", status: "True", reason: "Accepted", message: "" } as const;

test("PolicyStatusWriter: only the leader writes, by server-side apply on the status of the object that was judged", async () => {
  server.put(POLICY, { metadata: { name: "deny", namespace: "shop", uid: "p" } });
  let isLeader = false;
  const statuses = new PolicyStatusWriter({
    api: server.client(),
    isLeader: () => isLeader,
    log,
  });
  statuses.put([{ state: STATE, conditions: [ACCEPTED], nodes: "1/2", ignored: [] }]);
  isLeader = true;
  const written = server.nextWrite(({ path }) => path === `${POLICY}/status`);
  statuses.put([{ state: STATE, conditions: [ACCEPTED], nodes: "1/2", ignored: [] }]);
  const { contentType, query, body } = await written;
  expect([contentType, query.get("fieldManager")]).toEqual([
    "application/apply-patch+yaml",
    "weft-operator",
  ]);
  expect(body).toMatchObject({
    metadata: { uid: "p" },
    status: {
      observedGeneration: 4,
      nodes: "1/2",
      conditions: [{ type: "Accepted", observedGeneration: 4 }],
    },
  });
  await statuses.close();
  expect(server.writes).toHaveLength(1);
});
