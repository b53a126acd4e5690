/** Revocation in a real cluster: a pod that is deleted by force while it runs on, a Node that is deleted, a pod that comes again. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sized } from "../soak.ts";
import { until } from "../world/until.ts";
import { call, createNamespace, deployEcho, type Echo, waitForAnswer } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { untilCaptured } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";
import { openTalk } from "./talk.ts";

const cluster = sharedCluster();
const NAMESPACE = "gone";
/** Of a machine that has nothing else to do: one second. */
const WITHIN_MS = sized(60_000, 1_000);
let store: Echo;
let api: Echo;

interface AccessLine {
  readonly time: string;
  readonly direction: string;
  readonly sourceWorkload: string;
  readonly destinationWorkload: string;
  readonly code: string;
}

interface Written {
  readonly metadata: { readonly uid: string };
}

interface Report {
  readonly status: {
    readonly revoked?: readonly { readonly serial: string }[];
    readonly leaves: readonly { readonly identity: string; readonly serial: string }[];
  };
}

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  const [web, guest] = await Promise.all([deploy("web", "node1"), deploy("guest", "node1")]);
  store = await deploy("store", "node2", ["server-first", "8080"]);
  api = await deploy("api", "node2");
  const all = [web, guest, store, api];
  await untilCaptured(
    cluster,
    all.flatMap(({ pods }) => pods),
  );
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

function deploy(name: string, node: string, role = ["http", "8080"]): Promise<Echo> {
  return deployEcho(cluster, { namespace: NAMESPACE, name, node, role });
}

function client(name: string): { readonly namespace: string; readonly pod: string } {
  return { namespace: NAMESPACE, pod: `deployment/${name}` };
}

/** Lines of connections to the server that ended since then, of the node proxies on these nodes. */
async function accessLines(
  sinceMs: number,
  destination: string,
  nodes = ["node1", "node2"],
): Promise<readonly AccessLine[]> {
  const since = `--since-time=${new Date(sinceMs).toISOString()}`;
  const own = ["-n", "weft-system"];
  const texts = await Promise.all(
    nodes.map(async (node) => {
      const ofNode = ["-l", "app=weft-node-proxy", `--field-selector=spec.nodeName=${node}`];
      const pod = (await cluster.kubectl([...own, "get", "pods", ...ofNode, "-o", "name"])).trim();
      return cluster.kubectl([...own, "logs", pod, "--tail=-1", since]);
    }),
  );
  return texts
    .join("\n")
    .split("\n")
    .filter((line) => line.includes('"msg":"connection"'))
    .map((line) => JSON.parse(line) as AccessLine)
    .filter(({ time, destinationWorkload }) => {
      return Date.parse(time) >= sinceMs && destinationWorkload.startsWith(destination);
    });
}

async function readReport(node: string): Promise<Report> {
  return JSON.parse(await cluster.kubectl(["get", "nodereport", node, "-o", "json"])) as Report;
}

async function serialOf(node: string, account: string): Promise<string> {
  const { status } = await readReport(node);
  const leaf = status.leaves.find(({ identity }) => identity.endsWith(`/sa/${account}`));
  return leaf?.serial ?? "";
}

test("a pod deleted by force loses its tunnels at both ends within a second, while its process runs on", async () => {
  const to = { host: store.serviceAddress, port: store.port };
  const serial = await serialOf("node1", "guest");
  await using talk = await openTalk(cluster, { from: client("guest"), to });
  const started = Date.now();
  const guests = ["delete", "pod", "-l", "app=guest", "--force", "--grace-period=0"];
  await cluster.kubectl(["-n", NAMESPACE, ...guests, "--wait=false"]);
  const kubectlMs = Date.now() - started;
  await expect(talk.next()).rejects.toThrow("the conversation has ended");
  const ended = await until("both ends in the log", async () => {
    const lines = await accessLines(started, `${NAMESPACE}/store`);
    const ours = lines.filter(({ sourceWorkload }) => sourceWorkload.includes("/guest"));
    return new Set(ours.map(({ direction }) => direction)).size === 2 ? ours : undefined;
  });
  for (const { time, code } of ended) {
    // Whichever end acts first, the other may see the reset before the news.
    expect(code).toMatch(/^(?:workload_gone|(?:own|peer)_certificate_revoked|connection_reset)$/);
    expect(Date.parse(time) - started).toBeLessThan(WITHIN_MS + kubectlMs);
  }
  expect(ended.some(({ code }) => code !== "connection_reset")).toBe(true);
  const revoked = await until("the revocation to be written", async () => {
    const { status } = await readReport("node1");
    return status.revoked?.some((leaf) => leaf.serial === serial) ? true : undefined;
  });
  expect(revoked).toBe(true);
});

test("a pod that is deleted orderly answers to its last moment", async () => {
  const to = { host: store.serviceAddress, port: store.port };
  await using talk = await openTalk(cluster, { from: client("web"), to });
  await cluster.kubectl(["-n", NAMESPACE, "delete", "pod", "-l", "app=store", "--wait=false"]);
  talk.say("still here");
  expect(await talk.next()).toBe("still here");
  await cluster.kubectl(["-n", NAMESPACE, "rollout", "status", "deployment/store"]);
});

test("a pod of a StatefulSet that comes again at once on its node is served at the first try", async () => {
  const pod = await becomeStateful("api");
  const url = `http://${api.serviceAddress}:${api.port}/`;
  expect(await waitForAnswer(() => call(cluster, client("web"), url))).toMatchObject({
    status: 200,
  });
  const before = await serialOf("node2", "api");
  await cluster.kubectl(["-n", NAMESPACE, "delete", "pod", "api-0", "--force", "--grace-period=0"]);
  const again = await until("the pod to come again", async () => readyUid("api-0", pod), 240_000);
  expect(again).not.toBe(pod);
  expect(await call(cluster, client("web"), url)).toMatchObject({ status: 200 });
  expect(await serialOf("node2", "api")).not.toBe(before);
});

test("a Node that is deleted loses its identities within a second though its node proxy runs on, and gets new ones once it is back", async () => {
  const to = { host: store.serviceAddress, port: store.port };
  await using talk = await openTalk(cluster, { from: client("web"), to });
  const node = JSON.parse(await cluster.kubectl(["get", "node", "node2", "-o", "json"])) as {
    readonly metadata: Record<string, unknown>;
  };
  const started = Date.now();
  await cluster.kubectl(["delete", "node", "node2", "--wait=false"]);
  const kubectlMs = Date.now() - started;
  try {
    await expect(talk.next()).rejects.toThrow("the conversation has ended");
    expect(Date.now() - started).toBeLessThan(WITHIN_MS + kubectlMs);
    const refused = await call(cluster, client("web"), `http://${api.serviceAddress}:${api.port}/`);
    expect(refused).toHaveProperty("error");
  } finally {
    const { uid: _uid, resourceVersion: _version, ...metadata } = node.metadata;
    await cluster.kubectl(["create", "-f", "-"], JSON.stringify({ ...node, metadata }));
  }
  await until(
    "calls to the node to be answered again",
    async () => {
      const url = `http://${api.serviceAddress}:${api.port}/`;
      const outcome = await call(cluster, client("web"), url);
      return "status" in outcome ? true : undefined;
    },
    240_000,
  );
  // Whichever end acts first, the other sees the reset; and of a kubelet without a Node nobody gets logs.
  await until("the revocation in the log", async () => {
    const lines = await accessLines(started, `${NAMESPACE}/store`);
    return lines.some(({ code }) => code.endsWith("_certificate_revoked")) ? true : undefined;
  });
});

/** The same pods under a StatefulSet; gives the UID of its only one, once that is ready. */
async function becomeStateful(name: string): Promise<string> {
  const own = ["-n", NAMESPACE];
  const read = await cluster.kubectl([...own, "get", "deployment", name, "-o", "json"]);
  const { spec } = JSON.parse(read) as { readonly spec: { readonly template: object } };
  await cluster.kubectl([...own, "delete", "deployment", name, "--wait=true"]);
  const set = {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas: 1,
      serviceName: name,
      selector: { matchLabels: { app: name } },
      template: spec.template,
    },
  };
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(set));
  return until(`${name}-0`, async () => readyUid(`${name}-0`, ""), 240_000);
}

/** `undefined` while it is not ready, or still the one before. */
async function readyUid(pod: string, before: string): Promise<string | undefined> {
  const { stdout } = await cluster.tryKubectl(["-n", NAMESPACE, "get", "pod", pod, "-o", "json"]);
  if (stdout === "") return undefined;
  const { metadata, status } = JSON.parse(stdout) as Written & {
    readonly status: { readonly conditions?: readonly { type: string; status: string }[] };
  };
  const isReady = status.conditions?.some(
    ({ type, status: is }) => type === "Ready" && is === "True",
  );
  return isReady && metadata.uid !== before ? metadata.uid : undefined;
}
