/**
 * Who calls whom, in both families, with both pods on one node and on two: by address as a headless Service gives it,
 * by a Service, oneself, to and from the host's network. The way, the verdict and what the far end sees are told in
 * one line each, so that one node and two can be compared.
 */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ResourceBody } from "../../core/model/resource.ts";
import {
  closeNode,
  listenInPod,
  openNode,
  type PodNetwork,
  startFromPod,
  type TestPod,
} from "./pod-network.ts";
import {
  createTrafficMesh,
  denyAll,
  enrolment,
  type LoggedConnection,
  type TrafficMesh,
} from "./traffic-mesh.ts";

const APP = 8080;
const NODE = { v4: "10.77.0.1", v6: "fd77::1" };
/** Addresses of the Services; nobody else has them. */
const OF_B = { v4: "10.96.0.10", v6: "fd96::10" };
const OF_A = { v4: "10.96.0.11", v6: "fd96::11" };
const OF_HOST = { v4: "10.96.0.12", v6: "fd96::12" };
const FAMILIES = ["v4", "v6"] as const;
type Family = (typeof FAMILIES)[number];

interface Stage extends AsyncDisposable {
  readonly mesh: TrafficMesh;
  readonly host: TestPod;
}

const stages: Partial<Record<"one" | "two", Stage>> = {};

beforeAll(async () => {
  stages.one = await createStage("wc-one", true);
  stages.two = await createStage("wc-two", false);
});

afterAll(async () => {
  await stages.one?.[Symbol.asyncDispose]();
  await stages.two?.[Symbol.asyncDispose]();
});

async function createStage(prefix: string, isOneNode: boolean): Promise<Stage> {
  const mesh = await createTrafficMesh(prefix, { isOneNode });
  const host = openNode(prefix, [NODE.v4, NODE.v6]);
  const servers: Server[] = [];
  for (const pod of [mesh.network.a, mesh.network.b, host]) {
    servers.push(await greet(pod, 4), await greet(pod, 6));
  }
  const { a, b } = mesh.network;
  mesh.put(...service("b", OF_B, { ...b, uid: "uid-b" }));
  mesh.put(...service("a", OF_A, { ...a, uid: "uid-a" }));
  mesh.put(...service("host", OF_HOST, { ...NODE, uid: "" }));
  return {
    mesh,
    host,
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => once(server.close(), "close")));
      closeNode(host);
      await mesh[Symbol.asyncDispose]();
    },
  };
}

async function greet(pod: TestPod, family: 4 | 6): Promise<Server> {
  return listenInPod(pod, { port: APP, family }, (socket) => {
    socket.on("error", () => undefined);
    socket.end(`${socket.remoteAddress}`);
    socket.resume();
  });
}

interface Place {
  readonly v4: string;
  readonly v6: string;
  readonly uid: string;
}

function service(
  name: string,
  addresses: Readonly<Record<Family, string>>,
  { v4, v6, uid }: Place,
): readonly ResourceBody[] {
  const conditions = { ready: true, draining: false, zone: "", forZones: [], forNodes: [] };
  return FAMILIES.flatMap((family) => [
    {
      kind: "service" as const,
      value: {
        namespace: "shop",
        name: `${name}-${family}`,
        addresses: [addresses[family]],
        ports: [{ port: APP, name: "", appProtocol: "" }],
        algorithm: "round_robin" as const,
        localOnly: false,
        distribution: "anywhere" as const,
        affinitySeconds: 0,
      },
    },
    {
      kind: "endpointSlice" as const,
      value: {
        namespace: "shop",
        name: `${name}-${family}-1`,
        service: `${name}-${family}`,
        ports: [{ name: "", port: APP }],
        endpoints: [{ ...conditions, address: family === "v4" ? v4 : v6, workload: uid, node: "" }],
      },
    },
  ]);
}

interface Walk {
  readonly from: "a" | "host";
  readonly to: string;
  /** How many ends of it are logged. */
  readonly hops: number;
}

/** What the far end sees of the caller, or the caller's error; then what was logged of each hop. */
async function walk({ mesh, host }: Stage, { from, to, hops }: Walk): Promise<string> {
  const nodes = [...new Set([mesh.a, mesh.b])];
  const before = nodes.map(({ ended }) => ended.length);
  function logged(): readonly LoggedConnection[] {
    return nodes.flatMap(({ ended }, i) => ended.slice(before[i]));
  }
  const socket = startFromPod(from === "host" ? host : mesh.network.a, to, APP);
  const seen = await outcomeOf(socket);
  while (logged().length < hops) await Promise.race(nodes.map((node) => node.nextEnded()));
  const lines = logged().map(({ facts, outcome }) => {
    const way = facts.tunnelled ? "by tunnel" : "plaintext";
    const who = facts.source.identity.replace(/^.*\/sa\//, "as ") || "as nobody";
    return `${facts.direction} ${way} ${who} ${outcome.code || "carried"}`;
  });
  return [seen, ...lines.toSorted().toReversed()].join(", ");
}

async function outcomeOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("end", () => {
      socket.end();
      resolve(text);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
}

/** The same in both meshes; what the first of them shows. */
async function walkBoth(way: Walk): Promise<string> {
  const { one, two } = stages;
  if (!one || !two) throw new Error("the meshes were not started");
  const told = await walk(one, way);
  expect(await walk(two, way)).toBe(told);
  return told;
}

function putBoth(bodies: (network: PodNetwork) => readonly ResourceBody[]): void {
  for (const stage of [stages.one, stages.two]) {
    if (stage) stage.mesh.put(...bodies(stage.mesh.network));
  }
}

const PERMISSIVE = { modes: { default: "PERMISSIVE" as const, ports: [] } };
const A = { v4: "10.77.0.2", v6: "fd77::2" };
const B = { v4: "10.77.0.3", v6: "fd77::3" };
const TUNNELLED = "outbound by tunnel as a carried, inbound by tunnel as a carried";

for (const family of FAMILIES) {
  test(`paths: ${family}, a pod by its address, as headless Services and StatefulSets give it, is called by tunnel`, async () => {
    const told = await walkBoth({ from: "a", to: B[family], hops: 2 });
    expect(told).toBe(`${A[family]}, ${TUNNELLED}`);
  });

  test(`paths: ${family}, a Service's address, by tunnel`, async () => {
    const told = await walkBoth({ from: "a", to: OF_B[family], hops: 2 });
    expect(told).toBe(`${A[family]}, ${TUNNELLED}`);
  });

  test(`paths: ${family}, a pod that calls itself by its Service is judged like anybody, by its address is left alone`, async () => {
    const bySelf = { from: "a" as const, to: OF_A[family], hops: 2 };
    expect(await walkBoth(bySelf)).toBe(`${A[family]}, ${TUNNELLED}`);
    putBoth(({ a }) => [denyAll("shop/deny"), enrolment(a, "a", { policies: ["shop/deny"] })]);
    expect(await walkBoth(bySelf)).toBe(
      "ECONNRESET, outbound by tunnel as a denied_by_peer, inbound by tunnel as a denied_by_policy",
    );
    const direct = { from: "a" as const, to: A[family], hops: 0 };
    expect(await walkBoth(direct)).toBe(A[family]);
    putBoth(({ a }) => [enrolment(a, "a", {})]);
  });

  test(`paths: ${family}, one node and two, directly and by a Service, give one verdict: a DENY [C6] [C7]`, async () => {
    putBoth(({ b }) => [denyAll("shop/deny"), enrolment(b, "b", { policies: ["shop/deny"] })]);
    for (const to of [B[family], OF_B[family]]) {
      expect(await walkBoth({ from: "a", to, hops: 2 })).toBe(
        "ECONNRESET, outbound by tunnel as a denied_by_peer, inbound by tunnel as a denied_by_policy",
      );
    }
    putBoth(({ b }) => [enrolment(b, "b", {})]);
  });

  test(`paths: ${family}, the host's network calls a pod as a plaintext peer, with its own address`, async () => {
    const fromHost = { from: "host" as const, to: B[family], hops: 1 };
    expect(await walkBoth(fromHost)).toBe(
      "ECONNRESET, inbound plaintext as nobody plaintext_refused",
    );
    putBoth(({ b }) => [enrolment(b, "b", PERMISSIVE)]);
    expect(await walkBoth(fromHost)).toBe(`${NODE[family]}, inbound plaintext as nobody carried`);
    putBoth(({ b }) => [enrolment(b, "b", {})]);
  });

  test(`paths: ${family}, a pod calls the host's network in plaintext, from its own address, directly and by a Service`, async () => {
    for (const to of [NODE[family], OF_HOST[family]]) {
      expect(await walkBoth({ from: "a", to, hops: 1 })).toBe(
        `${A[family]}, outbound plaintext as a carried`,
      );
    }
  });
}
