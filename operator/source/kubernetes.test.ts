import { afterEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import { KubeClient } from "../../core/kube/kube-api.ts";
import { KubeApiServer } from "../../test/fakes/kube-api-server.ts";
import { WATCHED_KINDS } from "../resources/watched-kinds.ts";
import { KubernetesSource } from "./kubernetes.ts";
import type { ListWatchTiming } from "./list-watch.ts";
import type { SourceEvent } from "./source.ts";

const PODS = "/api/v1/pods";
const POLICIES = "/apis/weft.dev/v1/authorizationpolicies";
const FAST = { backoff: { minMs: 5, maxMs: 20 } };

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function startServer(): Promise<KubeApiServer> {
  const server = new KubeApiServer();
  await server.start();
  closing.push(() => server.stop());
  return server;
}

/** A source on that server; `until` waits for events and for nothing else. */
function openSource(server: KubeApiServer, timing: Partial<ListWatchTiming> = {}) {
  const config = server.config();
  const api = new KubeClient(config);
  const log = pino({ level: "silent" });
  const source = new KubernetesSource({ config, api, log, timing: { ...FAST, ...timing } });
  const events: string[] = [];
  let check: () => void = ignore;
  async function close(): Promise<void> {
    await source.close();
    api.close();
  }
  closing.push(close);
  return {
    source,
    close,
    events,
    start: () =>
      source.start((event) => {
        events.push(told(event));
        check();
      }),
    async until(this: void, text: string): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      check = () => {
        if (events.includes(text)) resolve();
      };
      check();
      await promise;
    },
  };
}

/** Resolves when the path is watched the next time. */
function nextWatch(server: KubeApiServer, path: string): Promise<void> {
  return new Promise((resolve) => {
    server.onWatch = (watched) => {
      if (watched === path) resolve();
    };
  });
}

async function startWatched(server: KubeApiServer, timing: Partial<ListWatchTiming> = {}) {
  const opened = openSource(server, timing);
  const watched = nextWatch(server, PODS);
  await opened.start();
  await watched;
  return opened;
}

function told(event: SourceEvent): string {
  if (event.kind === "synced") return "synced";
  const { metadata, kind } = event.object;
  return `${event.kind} ${kind} ${metadata.name} ${metadata.uid}`;
}

function pod(name: string, uid = `uid-${name}`) {
  return { metadata: { namespace: "shop", name, uid }, spec: {} };
}

function lists(server: KubeApiServer, path: string): number {
  return server.requests.filter((seen) => seen.path === path && !seen.query.has("watch")).length;
}

test("KubernetesSource: lists every kind before it is synced, then tells changes as they come", async () => {
  const server = await startServer();
  server.put(PODS, pod("a"));
  server.put(POLICIES, { metadata: { namespace: "shop", name: "p", uid: "p" }, spec: {} });
  const { events, until } = await startWatched(server);
  expect(events.toSorted()).toEqual([
    "synced",
    "upsert AuthorizationPolicy p p",
    "upsert Pod a uid-a",
  ]);
  expect(events.at(-1)).toBe("synced");
  server.put(PODS, pod("b"));
  await until("upsert Pod b uid-b");
  server.remove(PODS, "shop/a");
  await until("delete Pod a uid-a");
  expect(new Set(server.requests.map(({ path }) => path)).size).toBe(WATCHED_KINDS.length);
  expect(server.requests.every((seen) => seen.authorization === "Bearer secret")).toBe(true);
});

test("KubernetesSource: a long list comes in pages", async () => {
  const server = await startServer();
  for (let i = 0; i < 7; i++) server.put(PODS, pod(`p${i}`));
  const { events } = await startWatched(server, { pageSize: 3 });
  expect(events.filter((event) => event.startsWith("upsert Pod"))).toHaveLength(7);
  expect(lists(server, PODS)).toBe(3);
});

test("KubernetesSource: a list whose next page has expired begins anew", async () => {
  const server = await startServer();
  for (let i = 0; i < 5; i++) server.put(PODS, pod(`p${i}`));
  server.onPage = (path) => {
    if (path !== PODS) return;
    server.onPage = () => undefined;
    server.remove(PODS, "shop/p0");
    server.compact();
  };
  const { events } = await startWatched(server, { pageSize: 3 });
  expect(events.filter((event) => event.startsWith("upsert Pod")).toSorted()).toEqual(
    [1, 2, 3, 4].map((i) => `upsert Pod p${i} uid-p${i}`),
  );
  // The first page, its refused successor, and two pages of the second list.
  expect(lists(server, PODS)).toBe(4);
});

test("KubernetesSource: a watch that the server ends goes on where it was, without a new list", async () => {
  const server = await startServer();
  server.put(PODS, pod("a"));
  const { until } = await startWatched(server);
  const again = nextWatch(server, PODS);
  server.endWatches();
  server.put(PODS, pod("b"));
  await again;
  await until("upsert Pod b uid-b");
  expect(lists(server, PODS)).toBe(1);
});

test("KubernetesSource: a bookmark moves the version on, so that a quiet watch survives compaction", async () => {
  const server = await startServer();
  const { until } = await startWatched(server);
  server.put(POLICIES, { metadata: { namespace: "shop", name: "p", uid: "p" } });
  server.bookmark(PODS);
  server.put(PODS, pod("seen"));
  await until("upsert Pod seen uid-seen");
  server.compact();
  const again = nextWatch(server, PODS);
  server.endWatches();
  await again;
  server.put(PODS, pod("b"));
  await until("upsert Pod b uid-b");
  expect(lists(server, PODS)).toBe(1);
});

test("KubernetesSource: 410 Gone makes a new list, which finds what was deleted and tells nothing twice", async () => {
  const server = await startServer();
  server.put(PODS, pod("kept"));
  server.put(PODS, pod("gone"));
  const { events, until } = await startWatched(server);
  // Nobody watches while this happens, and history has forgotten it when they come back.
  server.endWatches();
  server.remove(PODS, "shop/gone");
  server.put(PODS, pod("new"));
  server.compact();
  await until("delete Pod gone uid-gone");
  await until("upsert Pod new uid-new");
  expect(events.filter((event) => event === "upsert Pod kept uid-kept")).toHaveLength(1);
});

test("KubernetesSource: an API server that is away is waited for; deletions meanwhile are noticed", async () => {
  const server = await startServer();
  server.put(PODS, pod("a"));
  server.put(PODS, pod("b"));
  const { source, until, events } = await startWatched(server);
  await server.stop();
  server.remove(PODS, "shop/a");
  server.put(PODS, pod("b", "another"));
  while (source.errors().length < WATCHED_KINDS.length) await turn();
  expect(source.errors()[0]).toMatchObject({ code: "api_unreachable" });
  await server.start();
  await until("delete Pod a uid-a");
  await until("upsert Pod b another");
  // Same name, other pod: the first one is over before the second begins.
  expect(events.indexOf("delete Pod b uid-b")).toBeLessThan(events.indexOf("upsert Pod b another"));
  while (source.errors().length > 0) await turn();
});

test("KubernetesSource: a watch cut in the middle of an event loses nothing", async () => {
  const server = await startServer();
  server.put(PODS, pod("a"));
  const { until, events } = await startWatched(server);
  server.cutWatches();
  server.put(PODS, pod("b"));
  await until("upsert Pod b uid-b");
  server.remove(PODS, "shop/b");
  await until("delete Pod b uid-b");
  expect(events.filter((event) => event.startsWith("upsert"))).toEqual([
    "upsert Pod a uid-a",
    "upsert Pod b uid-b",
  ]);
});

test("KubernetesSource: a watch that hangs is given up after its time", async () => {
  const server = await startServer();
  server.hanging.add(PODS);
  const { until } = await startWatched(server, { watchSeconds: 0.05, idleGraceMs: 50 });
  server.put(PODS, pod("a"));
  server.hanging.delete(PODS);
  await until("upsert Pod a uid-a");
  expect(lists(server, PODS)).toBeGreaterThan(1);
});

test("KubernetesSource: versions that run backwards (a restored backup) lead to a new list", async () => {
  const server = await startServer();
  server.put(PODS, pod("a"));
  const { until } = await startWatched(server);
  server.endWatches();
  server.restoreOlderVersions();
  server.remove(PODS, "shop/a");
  server.put(PODS, pod("b"));
  await until("delete Pod a uid-a");
  await until("upsert Pod b uid-b");
  expect(lists(server, PODS)).toBe(2);
});

test("KubernetesSource: kinds that do not exist yet are waited for, and nothing is synced before", async () => {
  const server = await startServer();
  server.failing.set(POLICIES, 404);
  const { source, start, events } = openSource(server);
  const started = start();
  while (lists(server, POLICIES) < 3) await turn();
  expect(events).toEqual([]);
  expect(source.errors()).toEqual([
    expect.objectContaining({ code: "api_unreachable", place: "authorizationpolicies" }),
  ]);
  server.failing.clear();
  await started;
  expect(events).toEqual(["synced"]);
});

test("KubernetesSource: close() ends a start() that still waits, and every watch", async () => {
  const server = await startServer();
  server.failing.set(POLICIES, 403);
  const { close, start } = openSource(server);
  const started = start();
  while (lists(server, POLICIES) < 1) await turn();
  await Promise.all([expect(started).rejects.toThrow("closed before"), close()]);
  // A connection that nobody closed would hold this for ever.
  while ((await server.openConnections()) > 0) await turn();
});

test("KubernetesSource: an object with unreadable metadata hurts only itself", async () => {
  const server = await startServer();
  server.put(PODS, { metadata: { namespace: "shop", name: "BAD NAME" } });
  server.put(PODS, pod("good"));
  const { events } = await startWatched(server);
  expect(events.filter((event) => event.includes("Pod"))).toEqual(["upsert Pod good uid-good"]);
});

function ignore(): void {}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("KubernetesSource: a kind that is not installed holds nothing up, and counts once it is", async () => {
  const server = await startServer();
  const routes = "/apis/gateway.networking.k8s.io/v1/httproutes";
  server.failing.set(routes, 404);
  const { source, until, events } = await startWatched(server, { absentMs: 5 });
  expect(events).toEqual(["synced"]);
  expect(source.errors()).toEqual([]);
  server.put(routes, pod("r"));
  server.failing.delete(routes);
  await until("upsert HTTPRoute r uid-r");
  // Taken away with all that there is of it.
  for (const path of [routes, `${routes}?watch`]) server.failing.set(path, 404);
  server.endWatches();
  await until("delete HTTPRoute r uid-r");
  expect(source.errors()).toEqual([]);
});

test("KubernetesSource: where only a kind's older version is served that one is watched", async () => {
  const server = await startServer();
  const group = "/apis/gateway.networking.k8s.io";
  server.failing.set(`${group}/v1/referencegrants`, 404);
  server.put(`${group}/v1beta1/referencegrants`, pod("g"));
  const { source, until } = await startWatched(server);
  await until("upsert ReferenceGrant g uid-g");
  server.remove(`${group}/v1beta1/referencegrants`, "shop/g");
  await until("delete ReferenceGrant g uid-g");
  expect(source.errors()).toEqual([]);
});

test("KubernetesSource: another project's kind that may not be read is told, and holds nothing up", async () => {
  const server = await startServer();
  server.failing.set("/apis/gateway.networking.k8s.io/v1/grpcroutes", 403);
  const { source, events } = await startWatched(server);
  expect(events).toEqual(["synced"]);
  expect(source.errors()).toMatchObject([{ code: "api_unreachable", place: "grpcroutes" }]);
});
