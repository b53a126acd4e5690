/** The real operator as its own process, on an API server (a fake one, without watches that stay open). */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { KubeObjectServer, type SeenWrite } from "../fakes/kube-object-server.ts";

// Loading the program takes some seconds on a busy machine.
jest.setTimeout(30_000);

const MAIN = new URL("../../operator/main.ts", import.meta.url).pathname;
const POLICY = "/apis/weft.dev/v1/namespaces/shop/authorizationpolicies/deny";
const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
const metadata = { name: "deny", namespace: "shop", uid: "p", generation: 1, resourceVersion: "1" };
const rules = [{ from: [{ source: { namespaces: ["evil"] } }] }];

const LISTS: Readonly<Record<string, readonly object[]>> = {
  "/api/v1/namespaces": [],
  "/api/v1/nodes": [{ metadata: { name: "node-a", uid: "n", resourceVersion: "1" } }],
  "/api/v1/pods": [],
  "/api/v1/services": [],
  "/apis/discovery.k8s.io/v1/endpointslices": [],
  "/apis/weft.dev/v1/authorizationpolicies": [{ metadata, spec: { action: "DENY", rules } }],
  "/apis/weft.dev/v1/peerauthentications": [],
  "/apis/weft.dev/v1/meshconfigs": [],
  "/apis/weft.dev/v1/nodereports": [],
};

let server: KubeObjectServer;
let directory: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "weft-operator-"));
  server = new KubeObjectServer();
  await server.start();
  server.answer = (method, path) => {
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
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await server.stop();
  rmSync(directory, { recursive: true });
});

function startOperator(): ChildProcess {
  const cluster = { server: server.url(), "insecure-skip-tls-verify": true };
  const kubeconfig = join(directory, "kubeconfig");
  const context = { cluster: "c", user: "u" };
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "x", context }],
      "current-context": "x",
    }),
  );
  const listen = ["grpc", "webhook", "metrics"].flatMap((name) => {
    return [`--${name}-listen`, "127.0.0.1:0"];
  });
  const own = ["--image", "weft:1", "--pod-name", "weft-operator-0"];
  return spawn(process.execPath, ["--no-warnings", MAIN, ...listen, ...own], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, KUBECONFIG: kubeconfig },
  });
}

/** Reads on after the line: a program whose standard error is full would stand still. */
async function logged(started: ChildProcess, message: string): Promise<void> {
  if (!started.stderr) throw new Error("no standard error");
  const lines = createInterface({ input: started.stderr });
  await new Promise<void>((resolve, reject) => {
    lines.on("line", (line) => {
      if ((JSON.parse(line) as { readonly msg: string }).msg === message) resolve();
    });
    lines.on("close", () => reject(new Error(`the operator ended before it logged "${message}"`)));
  });
}

function wrote(path: string): Promise<SeenWrite> {
  return server.nextWrite((write) => write.path === path);
}

test("operator on Kubernetes: makes the CA, publishes roots, leads, writes status, and gives the Lease back", async () => {
  const writes = Promise.all([
    wrote("/api/v1/namespaces/weft-system/secrets"),
    wrote("/api/v1/namespaces/weft-system/configmaps/weft-roots"),
    wrote("/apis/coordination.k8s.io/v1/namespaces/weft-system/leases"),
    wrote(`${REGISTRATION}/mutatingwebhookconfigurations/weft`),
    wrote(`${REGISTRATION}/validatingwebhookconfigurations/weft`),
    wrote(`${POLICY}/status`),
  ]);
  const started = startOperator();
  child = started;
  const exited = once(started, "exit");
  await logged(started, "ready");
  const [secret, roots, , mutating, , status] = await writes;
  expect(Object.keys(secret.body["data"] as object).toSorted()).toEqual([
    "ca.crt",
    "tls.crt",
    "tls.key",
  ]);
  const { "roots.pem": rootsPem } = roots.body["data"] as { readonly "roots.pem": string };
  expect(rootsPem).toMatch(/^-----BEGIN CERTIFICATE-----/);
  expect(mutating.body).toEqual({
    webhooks: [
      {
        name: "gate.weft.dev",
        clientConfig: { caBundle: Buffer.from(rootsPem).toString("base64") },
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
  started.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  const lease = server.get(
    "/apis/coordination.k8s.io/v1/namespaces/weft-system/leases/weft-operator",
  );
  expect(lease?.["spec"]).toMatchObject({ holderIdentity: "" });
});
