/**
 * A caller's node is gone from one moment to the next, without a last word: what it had open at the called pod ends by
 * itself, in a tunnel as without one, whether something was on its way to it or not.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { connectFromPod, listenInPod, nextText } from "./pod-network.ts";
import { createTrafficMesh, enrolment, type TrafficMesh, workload } from "./traffic-mesh.ts";

const PORT = 8080;
const GREETING = "welcome";
/** By the kernel's clock half a minute in a tunnel, a minute without; whatever hangs has five. */
const TEST_MS = 300_000;
let mesh: TrafficMesh;
const servers: Server[] = [];
const sockets: Socket[] = [];
/** The called application's ends. */
const called: Socket[] = [];

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-vanish");
  const { b } = mesh.network;
  for (const family of [4, 6] as const) {
    servers.push(
      await listenInPod(b, { port: PORT, family }, (socket) => {
        called.push(socket.on("error", () => undefined));
        socket.write(GREETING);
      }),
    );
  }
  mesh.put(enrolment(b, "b", { modes: { default: "PERMISSIVE", ports: [] } }));
});

afterAll(async () => {
  for (const socket of [...sockets, ...called]) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

async function callFromA(address: string): Promise<void> {
  const socket = await connectFromPod(mesh.network.a, address, PORT);
  sockets.push(socket.on("error", () => undefined));
  expect(await nextText(socket)).toBe(GREETING);
}

/** Neither hears the other from here on, and nobody is told. */
function cut(): void {
  const { a, b } = mesh.network;
  for (const [pod, peer] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const [command, address] of [
      ["iptables", peer.v4],
      ["ip6tables", peer.v6],
    ] as const) {
      const rule = ["-t", "raw", "-I", "PREROUTING", "-i", "eth0", "-s", address, "-j", "DROP"];
      execFileSync("nsenter", [`--net=${pod.path}`, command, ...rule]);
    }
  }
}

test(
  "a caller that vanishes: its tunnels end, idle or not, and what it had open without one",
  async () => {
    const { b } = mesh.network;
    await callFromA(b.v4);
    await callFromA(b.v6);
    mesh.put(workload(b, "b", { tunnel: false }));
    await callFromA(b.v4);
    const ends = called.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    cut();
    // The other two are idle.
    called[1]?.write("is anybody there?");
    await Promise.all(ends);
    const lost = mesh.b.ended.filter(({ facts }) => facts.direction === "inbound");
    expect(lost.map(({ facts, outcome }) => [facts.tunnelled, outcome.code])).toEqual([
      [true, "connection_reset"],
      [true, "connection_reset"],
      [false, "connection_reset"],
    ]);
  },
  TEST_MS,
);
