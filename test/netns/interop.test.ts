/**
 * Weft and a real ztunnel, both ways: pod a is weft's, pod b ztunnel's, one root vouches for both.
 *
 * Run only where `WEFT_PEER_ZTUNNEL` names the binary: `jest.config.js` leaves it out elsewhere.
 */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { until } from "../world/until.ts";
import {
  connectFromPod,
  listenInPod,
  nextText,
  startFromPod,
  type TestPod,
} from "./pod-network.ts";
import { createTrafficMesh, denyAll, enrolment, type TrafficMesh } from "./traffic-mesh.ts";
import {
  derOf,
  leafByZtunnelRoot,
  signerByZtunnelRoot,
  startZtunnel,
  type ZtunnelPeer,
  type ZtunnelSigner,
  ztunnelRoot,
} from "./ztunnel-peer.ts";

const BINARY = process.env["WEFT_PEER_ZTUNNEL"] ?? "";
const PORT = 8080;
const IDENTITY_A = "spiffe://cluster.local/ns/shop/sa/a";
const IDENTITY_B = "spiffe://cluster.local/ns/shop/sa/b";
let mesh: TrafficMesh;
let ztunnel: ZtunnelPeer;
let signer: ZtunnelSigner;
const servers: Server[] = [];
const sockets = new Set<Socket>();

function follow(socket: Socket): Socket {
  sockets.add(socket);
  socket.on("error", () => undefined);
  return socket.on("close", () => sockets.delete(socket));
}

async function start(): Promise<void> {
  mesh = await createTrafficMesh("wt-interop");
  const { a, b } = mesh.network;
  // The rules stay: ztunnel has the same ports and the same mark.
  mesh.b.traffic.onMessage({ kind: "pod_closed", uid: "uid-b" }, []);
  const roots = [ztunnelRoot(BINARY)];
  signer = signerByZtunnelRoot(BINARY);
  mesh.put({
    kind: "bundle",
    value: { trustDomain: "cluster.local", roots, issuer: "", retired: [] },
  });
  mesh.a.traffic.onMessage({ kind: "leaf", leaf: leafByZtunnelRoot(BINARY, IDENTITY_A) }, []);
  ztunnel = await startZtunnel(BINARY, { a, b }, "b");
  for (const pod of [a, b]) {
    servers.push(
      await listenInPod(pod, { port: PORT, family: 4 }, (socket) => {
        follow(socket).write(`hello ${socket.remoteAddress}`);
        socket.on("data", (chunk) => socket.write(chunk));
        socket.on("end", () => socket.end("bye"));
      }),
    );
  }
}

async function stop(): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await ztunnel[Symbol.asyncDispose]();
  await mesh[Symbol.asyncDispose]();
}

/** The server speaks first, bytes come back, and the half-close of the caller is answered. */
async function converse(from: TestPod, to: TestPod): Promise<void> {
  const socket = follow(await connectFromPod(from, to.v4, PORT));
  expect(await nextText(socket)).toBe(`hello ${from.v4}`);
  socket.write("ping");
  expect(await nextText(socket)).toBe("ping");
  const closed = once(socket, "close");
  socket.end();
  expect(await nextText(socket)).toBe("bye");
  await closed;
}

beforeAll(start);
afterAll(stop);

test("interop: weft calls a pod of ztunnel, by tunnel, with its address and identity", async () => {
  const ended = mesh.a.nextEnded();
  await converse(mesh.network.a, mesh.network.b);
  const { facts, outcome } = await ended;
  expect(facts).toMatchObject({ direction: "outbound", tunnelled: true });
  expect(outcome).toMatchObject({ code: "", bytesSent: 4 });
  await until(
    "ztunnel tells the caller",
    () => ztunnel.log().includes(`src.identity="${IDENTITY_A}"`) || undefined,
  );
});

test("interop: ztunnel calls a pod of weft, by tunnel, with its address and identity", async () => {
  const ended = mesh.a.nextEnded();
  await converse(mesh.network.b, mesh.network.a);
  const { facts, outcome } = await ended;
  expect(facts).toMatchObject({ direction: "inbound", tunnelled: true });
  expect(facts.source.identity).toBe(IDENTITY_B);
  expect(facts.sourceAddress).toContain(`${mesh.network.b.v4}:`);
  expect(outcome).toMatchObject({ code: "", bytesSent: 4 });
});

test("interop: 100 connections at once and a megabyte each, both ways", async () => {
  const { a, b } = mesh.network;
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const received = await Promise.all(Array.from({ length: 50 }, () => echoMegabyte(from, to)));
    expect(new Set(received)).toEqual(new Set([(1 << 20) + "bye".length]));
  }
});

test("interop: weft's refusal ends the call of ztunnel's pod", async () => {
  const { a, b } = mesh.network;
  mesh.put(denyAll("shop/deny"), enrolment(a, "a", { policies: ["shop/deny"] }));
  const ended = mesh.a.nextEnded();
  const socket = follow(startFromPod(b, a.v4, PORT));
  await untilClosed(socket);
  expect((await ended).outcome).toMatchObject({ code: "denied_by_policy", policy: "shop/deny" });
  await until("ztunnel tells the refusal", () => ztunnel.log().includes("401") || undefined);
  mesh.put(enrolment(a, "a", {}));
  await converse(b, a);
});

test("interop: a closed port of either is no connection for the other", async () => {
  const { a, b } = mesh.network;
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const socket = follow(startFromPod(from, to.v4, 9_999));
    await untilClosed(socket);
    expect(socket.bytesRead).toBe(0);
  }
  expect(mesh.a.ended.at(-2)?.outcome.code).toBe("unreachable_at_peer");
  expect(mesh.a.ended.at(-1)?.outcome.code).toBe("connect_refused");
});

test("interop: weft's leaf comes under another issuer, and open calls of both go on in their tunnels", async () => {
  const { a, b } = mesh.network;
  const open = [await greeted(a, b), await greeted(b, a)];
  mesh.a.traffic.onMessage(
    { kind: "leaf", leaf: leafByZtunnelRoot(BINARY, IDENTITY_A, signer) },
    [],
  );
  for (let i = 0; i < 20; i += 1) {
    await converse(a, b);
    await converse(b, a);
  }
  for (const socket of open) {
    socket.write("still");
    expect(await nextText(socket)).toBe("still");
    socket.destroy();
  }
  const issuer = certificateFingerprint(derOf(signer));
  await until("tunnels stand under the new issuer", () => {
    const last = mesh.a.told.findLast(({ kind }) => kind === "tunnel_issuers");
    const issuers = last?.kind === "tunnel_issuers" ? last.issuers : [];
    return issuers.some((counted) => counted.issuer === issuer) || undefined;
  });
});

test("interop: weft's own issuer is retired, and ztunnel's open call ends at once", async () => {
  const { a, b } = mesh.network;
  const socket = await greeted(b, a);
  const ended = mesh.a.nextEnded();
  const retired = [certificateFingerprint(derOf(signer))];
  const roots = [ztunnelRoot(BINARY)];
  const value = { trustDomain: "cluster.local", roots, issuer: "", retired };
  mesh.put({ kind: "bundle", value });
  await untilClosed(socket);
  expect((await ended).outcome.code).toBe("trust_withdrawn");
  mesh.a.traffic.onMessage({ kind: "leaf", leaf: leafByZtunnelRoot(BINARY, IDENTITY_A) }, []);
  await converse(b, a);
  await converse(a, b);
});

async function greeted(from: TestPod, to: TestPod): Promise<Socket> {
  const socket = follow(await connectFromPod(from, to.v4, PORT));
  await nextText(socket);
  return socket;
}

/** In order or by a reset. */
async function untilClosed(socket: Socket): Promise<void> {
  socket.resume().on("end", () => socket.end());
  await new Promise((resolve) => socket.once("close", resolve));
}

async function echoMegabyte(from: TestPod, to: TestPod): Promise<number> {
  const socket = follow(await connectFromPod(from, to.v4, PORT));
  await nextText(socket);
  const bytes = 1 << 20;
  let received = 0;
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  const closed = once(socket, "close");
  socket.end(Buffer.alloc(bytes, "w"));
  await closed;
  return received;
}
