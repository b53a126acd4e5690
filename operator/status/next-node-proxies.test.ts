import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import { KubeObjectServer } from "../../test/fakes/kube-object-server.ts";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { NextNodeProxies } from "./next-node-proxies.ts";
import { PodDirectory } from "./pod-directory.ts";

const NAMESPACE = "weft-system";
const ENDING = { deletionTimestamp: "2030-01-01T00:00:00Z" };
const SET = [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "s", uid: "d", controller: true }];

let server: KubeObjectServer;
let isLeader = true;
let pods: PodDirectory;
let next: NextNodeProxies;

beforeEach(async () => {
  isLeader = true;
  server = new KubeObjectServer();
  await server.start();
  pods = new PodDirectory();
  next = new NextNodeProxies({
    api: server.client(),
    namespace: NAMESPACE,
    isLeader: () => isLeader,
    pods,
    log: pino({ enabled: false }),
  });
});

afterEach(async () => {
  await next.close();
  await server.stop();
});

function pathOf(name: string): string {
  return `/api/v1/namespaces/${NAMESPACE}/pods/${name}`;
}

/** As the API server has it, and the watch tells it. */
function pod(name: string, metadata: object = {}, node = "node-a"): KubeObject {
  const raw = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: NAMESPACE,
      uid: `uid-${name}`,
      labels: { app: "weft-node-proxy" },
      ownerReferences: SET,
      ...metadata,
    },
    spec: { nodeName: node, serviceAccountName: "weft-node-proxy", containers: [] },
  };
  server.put(pathOf(name), raw);
  const parsed = parseKubeObject(raw);
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

function tell(...objects: readonly KubeObject[]): void {
  for (const object of objects) pods.observe({ kind: "upsert", object });
  for (const object of objects) next.observe({ kind: "upsert", object });
}

async function takenOut(name: string): Promise<unknown> {
  const { body } = await server.nextWrite(({ path }) => path === pathOf(name));
  return body;
}

/** Whoever is written to after these has been, has not been before. */
async function firstTakenOut(): Promise<string> {
  const { path } = await server.nextWrite(({ path: to }) => to.startsWith(pathOf("")));
  return path;
}

test("NextNodeProxies: a pod that ends is taken out of its set, and is that pod and no other of its name", async () => {
  const written = takenOut("a");
  tell(pod("a"), pod("a", ENDING));
  expect(await written).toMatchObject({
    metadata: { uid: "uid-a", labels: { app: "weft-node-proxy-leaving" } },
  });
});

test.each([
  ["lives", () => [pod("a")]],
  ["has a successor", () => [pod("a", ENDING), pod("b")]],
  ["is of no set", () => [pod("a", { ...ENDING, ownerReferences: [] })]],
  ["is another program's", () => [pod("a", { ...ENDING, labels: { app: "weft-operator" } })]],
  ["is elsewhere", () => [pod("a", { ...ENDING, namespace: "shop" })]],
] as const)("NextNodeProxies: nothing is written of one that %s", async (_, objects) => {
  const first = firstTakenOut();
  tell(...objects());
  tell(pod("last", ENDING, "node-b"));
  expect(await first).toBe(pathOf("last"));
});

test("NextNodeProxies: who becomes the leader writes for pods that ended before", async () => {
  isLeader = false;
  const written = takenOut("a");
  tell(pod("a", ENDING));
  isLeader = true;
  next.look();
  expect(await written).toMatchObject({ metadata: { uid: "uid-a" } });
});

test("NextNodeProxies: one whose successor ends before it, too, is taken out after all", async () => {
  const written = takenOut("a");
  tell(pod("a", ENDING), pod("b"));
  tell(pod("b", ENDING));
  expect(await written).toMatchObject({ metadata: { uid: "uid-a" } });
});
