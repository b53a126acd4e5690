/**
 * A pod's network namespace is deleted while tunnels lead into it, as when a runtime removes a sandbox whose pod is still
 * known: its callers' streams end with an error, no octet is wrong, later calls end too, and others are served.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  closeNode,
  listenInPod,
  nextText,
  openNode,
  startFromPod,
  type TestPod,
} from "./pod-network.ts";
import { createTrafficMesh, type TrafficMesh } from "./traffic-mesh.ts";

const PREFIX = "wt-goes";
const PORT = 8080;
const CALLS = 4;
let mesh: TrafficMesh;
let node: TestPod;
const servers: Server[] = [];
const sockets = new Set<Socket>();

beforeAll(async () => {
  mesh = await createTrafficMesh(PREFIX);
  node = openNode(PREFIX, ["10.77.0.1", "fd77::1"]);
  for (const pod of [mesh.network.b, node]) {
    servers.push(await listenInPod(pod, { port: PORT, family: 4 }, flow));
  }
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  closeNode(node);
  await mesh[Symbol.asyncDispose]();
});

function follow(socket: Socket): Socket {
  sockets.add(socket);
  socket.on("error", () => undefined);
  return socket.on("close", () => sockets.delete(socket));
}

/** One octet, again and again, for as long as it is taken. */
function flow(socket: Socket): void {
  follow(socket);
  function more(): void {
    while (!socket.destroyed && socket.write("w".repeat(20_000)));
  }
  socket.on("drain", more);
  more();
}

interface Heard {
  readonly octets: number;
  readonly isCorrupt: boolean;
  /** In order, which a stream that never ends cannot. */
  readonly hasEnded: boolean;
}

async function hear(socket: Socket): Promise<Heard> {
  const heard = { octets: 0, isCorrupt: false, hasEnded: false };
  follow(socket).on("data", (chunk: Buffer) => {
    heard.octets += chunk.length;
    heard.isCorrupt ||= chunk.some((octet) => octet !== 0x77);
  });
  socket.on("end", () => {
    heard.hasEnded = true;
    socket.end();
  });
  await new Promise((resolve) => socket.once("close", resolve));
  return heard;
}

test("a pod's network goes while it is called: streams end with an error, none corrupt, and others are served", async () => {
  const { a, b } = mesh.network;
  const open = Array.from({ length: CALLS }, () => startFromPod(a, b.v4, PORT));
  const ends = open.map(hear);
  await Promise.all(open.map((socket) => once(socket, "data")));
  execFileSync("ip", ["-n", `${PREFIX}-node`, "link", "delete", "v3"]);
  execFileSync("ip", ["netns", "delete", `${PREFIX}-b`]);
  for (const heard of await Promise.all(ends)) {
    expect(heard).toMatchObject({ isCorrupt: false, hasEnded: false });
    expect(heard.octets).toBeGreaterThan(0);
  }
  // What control says once no process is left in it.
  mesh.b.traffic.onMessage({ kind: "pod_closed", uid: "uid-b" }, []);
  expect(await hear(startFromPod(a, b.v4, PORT))).toMatchObject({ octets: 0, hasEnded: false });
  const other = follow(startFromPod(a, node.v4, PORT));
  expect(await nextText(other)).toMatch(/^w+$/);
});
