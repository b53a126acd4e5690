/**
 * Weft and a real ztunnel, both ways, by what they carry and refuse: a gigabyte, checksummed; ten thousand connections;
 * half-close in either order; a call that the other's policy forbids.
 *
 * Run only where `WEFT_PEER_ZTUNNEL` names the binary: `jest.config.js` leaves it out elsewhere.
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sized } from "../soak.ts";
import { until } from "../world/until.ts";
import { play, type Step } from "./life/script.ts";
import {
  connectFromPod,
  listenInPod,
  nextText,
  startFromPod,
  type TestPod,
} from "./pod-network.ts";
import { createTrafficMesh, denyAll, enrolment, type TrafficMesh } from "./traffic-mesh.ts";
import { leafByZtunnelRoot, startZtunnel, type ZtunnelPeer, ztunnelRoot } from "./ztunnel-peer.ts";

const BINARY = process.env["WEFT_PEER_ZTUNNEL"] ?? "";
const IDENTITY_A = "spiffe://cluster.local/ns/shop/sa/a";
const ECHO = 8080;
/** Answers with the digest of all that came before the end. */
const DIGEST = 8081;
/** ztunnel's own policy. */
const DENIED = 8090;
const BULK_BYTES = sized(128 << 20, 1 << 30);
const CONNECTIONS = sized(3_000, 10_000);
const AT_ONCE = 50;
let mesh: TrafficMesh;
let ztunnel: ZtunnelPeer;
const servers: Server[] = [];
const sockets = new Set<Socket>();

function follow(socket: Socket): Socket {
  sockets.add(socket);
  socket.on("error", () => undefined);
  return socket.on("close", () => sockets.delete(socket));
}

async function listen(pod: TestPod, port: number, serve: (socket: Socket) => void): Promise<void> {
  servers.push(await listenInPod(pod, { port, family: 4 }, (socket) => serve(follow(socket))));
}

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-interopv");
  const { a, b } = mesh.network;
  // The rules stay: ztunnel has the same ports and the same mark.
  mesh.b.traffic.onMessage({ kind: "pod_closed", uid: "uid-b" }, []);
  const roots = [ztunnelRoot(BINARY)];
  const value = { trustDomain: "cluster.local", roots, issuer: "", retired: [] };
  mesh.put({ kind: "bundle", value });
  mesh.a.traffic.onMessage({ kind: "leaf", leaf: leafByZtunnelRoot(BINARY, IDENTITY_A) }, []);
  ztunnel = await startZtunnel(BINARY, { a, b }, "b", [DENIED]);
  for (const pod of [a, b]) {
    for (const port of [ECHO, DENIED]) {
      await listen(pod, port, (socket) => socket.pipe(socket));
    }
    await listen(pod, DIGEST, (socket) => {
      const hash = createHash("sha256");
      socket.on("data", (chunk) => hash.update(chunk));
      socket.on("end", () => socket.end(hash.digest("hex")));
    });
  }
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await ztunnel[Symbol.asyncDispose]();
  await mesh[Symbol.asyncDispose]();
});

function ways(): readonly (readonly [TestPod, TestPod])[] {
  const { a, b } = mesh.network;
  return [
    [a, b],
    [b, a],
  ];
}

for (const [i, way] of ["to ztunnel's pod", "from ztunnel's pod"].entries()) {
  function pair(): readonly [TestPod, TestPod] {
    const [from, to] = ways()[i] ?? [];
    if (!from || !to) throw new Error(`no way ${i}`);
    return [from, to];
  }

  test(`interop: ${BULK_BYTES >> 20} MB ${way} arrive as they were sent`, async () => {
    const [from, to] = pair();
    const socket = follow(await connectFromPod(from, to.v4, DIGEST));
    const sent = await sendBulk(socket);
    expect(await nextText(socket)).toBe(sent);
  });

  test(`interop: ${CONNECTIONS} connections ${way}, each answered and ended in order`, async () => {
    const [from, to] = pair();
    let begun = 0;
    let answered = 0;
    async function keepCalling(): Promise<void> {
      while (begun < CONNECTIONS) {
        begun += 1;
        const said = `call ${begun}`;
        if ((await echoed(from, to, said)) === said) answered += 1;
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, keepCalling));
    expect(answered).toBe(CONNECTIONS);
  });

  for (const [first, second] of [
    ["client", "server"],
    ["server", "client"],
  ] as const) {
    test(`interop: ${way}, the ${first} ends and the ${second} answers, as without a proxy`, async () => {
      const [client, server] = pair();
      const steps: readonly Step[] = [
        "server opens",
        `${first} sends 5`,
        `${first} ends`,
        `${second} sees 5`,
        `${second} sees fin`,
        `${second} sends 7`,
        `${second} ends`,
      ];
      const told = await play(steps, { client, server, host: server.v4 });
      expect(told).toEqual({ client: "5 fin", server: "5 fin", [first]: "7 fin" });
    });
  }
}

test("interop: what ztunnel's policy forbids is 401 for weft, whose caller is refused", async () => {
  const { a, b } = mesh.network;
  const ended = mesh.a.nextEnded();
  const socket = follow(startFromPod(a, b.v4, DENIED));
  await new Promise((resolve) => socket.once("close", resolve));
  expect(socket.bytesRead).toBe(0);
  expect((await ended).outcome.code).toBe("denied_by_peer");
  expect(await echoed(a, b, "allowed")).toBe("allowed");
});

test("interop: what weft's policy forbids is 401 for ztunnel", async () => {
  const { a, b } = mesh.network;
  mesh.put(denyAll("shop/deny"), enrolment(a, "a", { policies: ["shop/deny"] }));
  const ended = mesh.a.nextEnded();
  const socket = follow(startFromPod(b, a.v4, ECHO));
  socket.resume().on("end", () => socket.end());
  await new Promise((resolve) => socket.once("close", resolve));
  expect((await ended).outcome).toMatchObject({ code: "denied_by_policy", policy: "shop/deny" });
  await until("ztunnel tells the refusal", () => ztunnel.log().includes("401") || undefined);
  mesh.put(enrolment(a, "a", {}));
  expect(await echoed(b, a, "allowed")).toBe("allowed");
});

/** As fast as it is taken, then ends. Returns the digest. */
async function sendBulk(socket: Socket): Promise<string> {
  const hash = createHash("sha256");
  // No two of them alike: one that is lost or comes twice changes the digest, and so does their order.
  const chunk = randomBytes(1 << 20);
  for (let sent = 0; sent < BULK_BYTES; sent += chunk.length) {
    chunk.writeUInt32LE(sent >>> 0);
    const piece = Buffer.from(chunk);
    hash.update(piece);
    if (!socket.write(piece)) await once(socket, "drain");
  }
  socket.end();
  return hash.digest("hex");
}

/** All that came back until the end, in order or not. */
async function echoed(from: TestPod, to: TestPod, text: string): Promise<string> {
  const socket = follow(startFromPod(from, to.v4, ECHO));
  let back = "";
  socket.on("data", (chunk: Buffer) => {
    back += chunk.toString();
  });
  socket.end(text);
  await new Promise((resolve) => socket.once("close", resolve));
  return back;
}
