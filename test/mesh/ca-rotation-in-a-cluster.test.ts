/** The real operator on a fake API server rotates its root: what is written, and in which order. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { KubeObjectServer, type SeenWrite } from "../fakes/kube-object-server.ts";
import { OperatorProcess } from "../fakes/operator-process.ts";

const SECRET = "/api/v1/namespaces/weft-system/secrets/weft-ca";
const ROTATION = "/apis/weft.dev/v1/carotations/one";
const WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/weft";
const EVENTS = "/api/v1/namespaces/default/events";
const LISTED = /^\/(?:api|apis\/(?:discovery\.k8s\.io|weft\.dev))\/v1\/[a-z]+$/;
const resourceVersion = "1";
const metadata = { name: "one", uid: "u", generation: 1, resourceVersion };

let server: KubeObjectServer;
let directory: string;
let operator: OperatorProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "weft-rotation-"));
  server = new KubeObjectServer();
  await server.start();
  server.answer = (method, path) => {
    if (method !== "GET" || !LISTED.test(path)) return undefined;
    const items = path.endsWith("/carotations") ? [{ metadata, spec: { authority: "root" } }] : [];
    return { kind: "List", metadata: { resourceVersion }, items };
  };
  server.put(ROTATION, { metadata });
  server.put(WEBHOOKS, {
    metadata: { name: "weft" },
    webhooks: [{ name: "gate.weft.dev", clientConfig: {} }],
  });
  operator = new OperatorProcess({ directory, server: server.url(), podName: "weft-operator-0" });
});

afterEach(async () => {
  await operator.close();
  await server.stop();
  rmSync(directory, { recursive: true });
});

interface Status {
  readonly phase?: string;
  readonly observedGeneration?: number;
}

function statusOf({ body }: SeenWrite): Status {
  return body["status"] as Status;
}

/** How many certificates a base64 of PEM has. */
function countOf(base64: unknown): number {
  const pem = Buffer.from(typeof base64 === "string" ? base64 : "", "base64").toString("utf8");
  return pem.match(/BEGIN CERTIFICATE/g)?.length ?? 0;
}

/** What each write means, in the order of their coming. */
function meaningOf(write: SeenWrite): readonly string[] {
  const { method, path, body } = write;
  if (path === SECRET && method === "PUT") {
    const data = body["data"] as Readonly<Record<string, string>>;
    const record = Buffer.from(data["rotation"] ?? "", "base64").toString("utf8");
    return [`stored ${record === "" ? "end" : (JSON.parse(record) as Status).phase}`];
  }
  if (path === WEBHOOKS) {
    const [webhook] = body["webhooks"] as readonly { clientConfig: { caBundle?: string } }[];
    return [`API server trusts ${countOf(webhook?.clientConfig.caBundle)}`];
  }
  if (path === EVENTS) return [`event ${String(body["reason"])}`];
  return path === `${ROTATION}/status` ? [`told ${statusOf(write).phase}`] : [];
}

test("operator on Kubernetes: rotates its root, and the API server trusts the new one before anything is signed by it", async () => {
  const complete = new Promise<void>((resolve) => {
    server.onWrite = ({ path, body }) => {
      if (path === EVENTS && body["reason"] === "RotationComplete") resolve();
    };
  });
  await operator.ready();
  await complete;
  const all = server.writes.flatMap(meaningOf);
  const steps = all.filter((text, index) => text !== all[index - 1]);
  const firsts = [...new Set(steps)];
  const order = firsts.filter((text) => !text.startsWith("told") && !text.startsWith("event"));
  expect(order).toEqual([
    "API server trusts 1",
    "stored add",
    "API server trusts 2",
    "stored reissue",
    "stored drop",
    "stored end",
  ]);
  // And the old one no more, in the end.
  const trusts = steps.filter((text) => text.startsWith("API"));
  expect(trusts).toEqual(["API server trusts 1", "API server trusts 2", "API server trusts 1"]);
  const told = firsts.filter((text) => text.startsWith("told"));
  expect(told).toEqual(["told Add", "told Reissue", "told Drop", "told Complete"]);
  expect(firsts.filter((text) => text.startsWith("event"))).toEqual([
    "event RotationAdd",
    "event RotationReissue",
    "event RotationDrop",
    "event RotationComplete",
  ]);
  const written = server.writes.find(({ path }) => path === `${ROTATION}/status`);
  expect(written?.contentType).toContain("apply-patch");
  expect(written && statusOf(written).observedGeneration).toBe(1);
  const event = server.writes.find(({ path }) => path === EVENTS)?.body;
  const involvedObject = { apiVersion: "weft.dev/v1", kind: "CARotation", name: "one", uid: "u" };
  expect(event).toMatchObject({ involvedObject });
});
