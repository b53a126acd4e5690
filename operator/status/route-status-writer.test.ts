/** The writer with the index before it and an API server behind it, whose changes come back as a watch tells them. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import { KubeObjectServer } from "../../test/fakes/kube-object-server.ts";
import { parentRef, routeObject, serviceObject } from "../../test/fakes/route-objects.ts";
import { ClusterIndex } from "../index/cluster-index.ts";
import { parseKubeObject } from "../resources/kube-object.ts";
import { RouteStatusWriter } from "./route-status-writer.ts";

const PATH = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/r";
const ROUTE = routeObject("HTTPRoute", "shop/r", {
  parents: [parentRef("web")],
  rules: [{ backendRefs: [{ name: "web", port: 80 }] }],
});
const OTHERS = { parentRef: { name: "g" }, controllerName: "another.example/gateway" };

let server: KubeObjectServer;
let index: ClusterIndex;
let writer: RouteStatusWriter;
let isLeader: boolean;

beforeEach(async () => {
  isLeader = true;
  server = new KubeObjectServer();
  await server.start();
  index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  index.apply({ kind: "upsert", object: serviceObject("shop/web", { port: 80 }) });
  writer = createWriter();
  server.put(PATH, { ...ROUTE, metadata: { ...ROUTE.metadata, generation: 1 } });
});

afterEach(async () => {
  await writer.close();
  await server.stop();
});

function createWriter(): RouteStatusWriter {
  const log = pino({ enabled: false });
  return new RouteStatusWriter({ api: server.client(), isLeader: () => isLeader, log });
}

/** What the API server holds now is told to the index, and what comes of it to the writer. */
function watch(): void {
  const held = parseKubeObject(server.get(PATH));
  if (held.kind === "refused") throw new Error(held.reasons.join());
  index.apply({ kind: "upsert", object: held.value });
  settle();
}

function settle(): void {
  index.deliver();
  writer.put(index.routes());
}

function parents(): readonly unknown[] {
  const { parents: list = [] } = (server.get(PATH)?.["status"] ?? {}) as { parents?: unknown[] };
  return list;
}

function anotherWrites(): void {
  const held = server.get(PATH) ?? {};
  server.put(PATH, { ...held, status: { parents: [OTHERS] } });
}

const OURS = {
  parentRef: { group: "", kind: "Service", name: "web" },
  controllerName: "weft.dev/mesh-controller",
  conditions: [
    { type: "Accepted", status: "True", observedGeneration: 1 },
    { type: "ResolvedRefs", status: "True", observedGeneration: 1 },
  ],
};

async function nextWrite(): Promise<void> {
  await server.nextWrite(({ path }) => path === `${PATH}/status`);
}

test("RouteStatusWriter: others' entries stay, and what is there is not written again", async () => {
  anotherWrites();
  const written = nextWrite();
  watch();
  await written;
  expect(parents()).toMatchObject([OTHERS, OURS]);
  const { contentType, query } = server.writes[0] ?? {};
  expect([contentType, query?.get("fieldManager")]).toStrictEqual([
    "application/merge-patch+json",
    "weft-operator",
  ]);
  // Before and after the watch has told of it.
  settle();
  watch();
  await writer.close();
  const nextLeader = createWriter();
  nextLeader.put(index.routes());
  await nextLeader.close();
  expect(server.writes).toHaveLength(1);
});

test("RouteStatusWriter: what another has written meanwhile stays, and ours comes with the next version", async () => {
  const held = parseKubeObject(server.get(PATH));
  if (held.kind === "refused") throw new Error(held.reasons.join());
  anotherWrites();
  const refused = new Promise<void>((resolve) => {
    server.answer = (method) => {
      if (method === "PATCH") resolve();
      return undefined;
    };
  });
  index.apply({ kind: "upsert", object: held.value });
  settle();
  await refused;
  expect(parents()).toStrictEqual([OTHERS]);
  const written = nextWrite();
  watch();
  await written;
  expect(parents()).toMatchObject([OTHERS, OURS]);
});

test("RouteStatusWriter: an entry of ours that another takes away is written again, although nobody saw it in between", async () => {
  const first = nextWrite();
  watch();
  await first;
  anotherWrites();
  const again = nextWrite();
  watch();
  await again;
  expect(parents()).toMatchObject([OTHERS, OURS]);
});

test("RouteStatusWriter: only the leader writes, and of a route that is gone nobody does", async () => {
  isLeader = false;
  watch();
  isLeader = true;
  const written = nextWrite();
  watch();
  await written;
  index.apply({ kind: "delete", object: ROUTE });
  settle();
  await writer.close();
  expect(server.writes).toHaveLength(1);
});
