/** What one pod may have open at once: beyond it its own connections are refused, each with its code, and nobody else's. */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import {
  closeNode,
  connectFromPod,
  listenInPod,
  nextText,
  openNode,
  startFromPod,
  type TestPod,
} from "./pod-network.ts";
import {
  createTrafficMesh,
  enrolment,
  type TrafficMesh,
  type TrafficNode,
} from "./traffic-mesh.ts";

const PREFIX = "wt-limits";
const PORT = 8080;
const CONNECTIONS = 5;
const TUNNELS = 3;
let mesh: TrafficMesh;
let node: TestPod;
const servers: Server[] = [];
const sockets = new Set<Socket>();

function follow(socket: Socket): Socket {
  sockets.add(socket);
  socket.on("error", () => undefined);
  return socket.on("close", () => sockets.delete(socket));
}

beforeAll(async () => {
  mesh = await createTrafficMesh(PREFIX, {
    limits: { connections: CONNECTIONS, tunnels: TUNNELS },
  });
  node = openNode(PREFIX, ["10.77.0.1", "fd77::1"]);
  const { a, b } = mesh.network;
  mesh.put(enrolment(b, "b", { modes: { default: "PERMISSIVE", ports: [] } }));
  for (const pod of [a, b, node]) {
    servers.push(
      await listenInPod(pod, { port: PORT, family: 4 }, (socket) => {
        follow(socket).write("hello");
        socket.resume().on("end", () => socket.end());
      }),
    );
  }
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  // A slot is free once both sides of its connection are gone.
  for (const each of [mesh.a, mesh.b]) {
    await until("all connections end", async () => (await openNow(each)) === 0 || undefined);
  }
});

afterAll(async () => {
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  closeNode(node);
  await mesh[Symbol.asyncDispose]();
});

async function openNow(by: TrafficNode): Promise<number> {
  const text = await by.metrics();
  function total(name: string): number {
    const values = [
      ...text.matchAll(new RegExp(`^weft_tcp_connections_${name}_total{.* (\\d+)$`, "gm")),
    ];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }
  return total("opened") - total("closed");
}

async function greeted(from: TestPod, to: string): Promise<Socket> {
  const socket = follow(await connectFromPod(from, to, PORT));
  expect(await nextText(socket)).toBe("hello");
  return socket;
}

/** Also by a reset, for which `once` would reject. */
function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
  });
}

/** Nothing is heard but the end, and its code stands in the log and in the metric of that node. */
async function refused(by: TrafficNode, [from, to]: readonly [TestPod, string]): Promise<string> {
  const ended = by.nextEnded();
  const socket = follow(startFromPod(from, to, PORT));
  await gone(socket);
  expect(socket.bytesRead).toBe(0);
  const { facts, outcome } = await ended;
  expect(await by.metrics()).toContain(`reason="${outcome.code}"`);
  return `${facts.direction} ${outcome.code}`;
}

async function full(from: TestPod, to: string): Promise<readonly Socket[]> {
  const open: Socket[] = [];
  while (open.length < CONNECTIONS) open.push(await greeted(from, to));
  return open;
}

for (const [way, host] of [
  ["by tunnels", () => mesh.network.b.v4],
  ["in plaintext", () => node.v4],
] as const) {
  test(`limits: a pod that has all its connections open ${way} gets no more, until one ends`, async () => {
    const { a, b } = mesh.network;
    const [first] = await full(a, host());
    for (let i = 0; i < 3; i += 1) {
      expect(await refused(mesh.a, [a, host()])).toBe("outbound pod_connections_exhausted");
    }
    // Another pod's calls, and calls of that pod, are other counts.
    await greeted(b, node.v4);
    await greeted(b, a.v4);
    const ended = mesh.a.nextEnded();
    first?.destroy();
    await ended;
    await greeted(a, host());
    expect(await refused(mesh.a, [a, host()])).toBe("outbound pod_connections_exhausted");
  });
}

test("limits: a pod that is called by as many as it may takes no more, until one ends", async () => {
  const { b } = mesh.network;
  const [first] = await full(node, b.v4);
  expect(await refused(mesh.b, [node, b.v4])).toBe("inbound pod_connections_exhausted");
  await greeted(b, node.v4);
  const ended = mesh.b.nextEnded();
  first?.destroy();
  await ended;
  await greeted(node, b.v4);
});

test("limits: connections that come to nothing give their places back", async () => {
  const { a, b } = mesh.network;
  for (let i = 0; i < 3 * CONNECTIONS; i += 1) {
    const [told, closed] = [mesh.b.nextEnded(), startFromPod(a, b.v4, 9_999)];
    await gone(follow(closed));
    expect((await told).outcome.code).toBe("connect_refused");
  }
  await greeted(a, b.v4);
});

test("limits: a pod that has all its tunnels gets no more handshakes, and the tunnels that it has go on", async () => {
  const { a, b } = mesh.network;
  const open = await greeted(a, b.v4);
  const told = mesh.b.ended.length;
  const dials = Array.from({ length: TUNNELS }, () => follow(startFromPod(node, b.v4, 15_008)));
  await Promise.race(dials.map((socket) => gone(socket.resume().on("end", () => socket.end()))));
  const codes = mesh.b.ended.slice(told).map(({ outcome }) => outcome.code);
  expect(codes).toEqual(["pod_tunnels_exhausted"]);
  await greeted(a, b.v4);
  expect(open.destroyed).toBe(false);
});
