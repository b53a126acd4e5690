/** Leaves that were taken back and pods that are gone: their tunnels end at both ends, nobody else's do, and nothing comes back. */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { ResourceBody } from "../../core/model/resource.ts";
import { type Crafted, uriName } from "../fakes/crafted-ca.ts";
import { sized } from "../soak.ts";
import { APP_PORT, type AttackMesh, createAttackMesh } from "./attack-mesh.ts";
import { connectFromPod, nextText, startFromPod } from "./pod-network.ts";
import { connectTo, headers, type RawHttp2, startTls, type TlsAttack } from "./raw-http2.ts";
import { enrolment, type TrafficNode, workload } from "./traffic-mesh.ts";

/** Of a machine that has nothing else to do: one second. */
const WITHIN_MS = sized(30_000, 1_000);
let attacks: AttackMesh;
let leafA: Crafted;
let leafB: Crafted;

beforeAll(async () => {
  attacks = await createAttackMesh("wt-rev");
});

afterAll(async () => {
  await attacks[Symbol.asyncDispose]();
});

/** Both pods as they are at first, with leaves that nobody has seen yet. */
beforeEach(() => {
  const { mesh } = attacks;
  mesh.remove({ kind: "revocation", name: "node-a" }, { kind: "revocation", name: "node-b" });
  mesh.put(workload(mesh.network.a, "a", {}), workload(mesh.network.b, "b", {}));
  mesh.put(enrolment(mesh.network.a, "a", {}), enrolment(mesh.network.b, "b", {}));
  leafA = mesh.leaf(mesh.a, "a");
  leafB = mesh.leaf(mesh.b, "b");
});

function revocationOf(node: string, ...leaves: readonly Crafted[]): ResourceBody {
  const serials = leaves.map(({ der }) => new X509Certificate(der).serialNumber.toLowerCase());
  return { kind: "revocation", value: { node, serials } };
}

async function openCall(): Promise<Socket> {
  const { network } = attacks.mesh;
  const socket = await connectFromPod(network.a, network.b.v4, APP_PORT);
  socket.write("open");
  expect(await nextText(socket)).toBe("open");
  return socket;
}

async function openTunnel(attack: TlsAttack): Promise<RawHttp2> {
  const tunnel = attacks.tunnel(attack);
  tunnel.send(headers(1, connectTo(`${attacks.mesh.network.b.v4}:${APP_PORT}`)));
  expect(await tunnel.answer(1)).toBe(200);
  return tunnel;
}

/** The code of the connection that was carried, told by each node after the change. */
async function codesAfter(change: () => void): Promise<readonly string[]> {
  const { a, b } = attacks.mesh;
  const [socket, from] = [await openCall(), [a.ended.length, b.ended.length]];
  const closed = once(socket, "error");
  const started = performance.now();
  change();
  await closed;
  const codes = await Promise.all([carriedAfter(a, from[0] ?? 0), carriedAfter(b, from[1] ?? 0)]);
  expect(performance.now() - started).toBeLessThan(WITHIN_MS);
  return codes;
}

async function carriedAfter(node: TrafficNode, from: number): Promise<string> {
  for (let i = from; ; i++) {
    while (i >= node.ended.length) await node.nextEnded();
    const { outcome } = node.ended[i] ?? {};
    if (outcome?.carried) return outcome.code;
  }
}

async function nextCode(node: TrafficNode): Promise<string> {
  const { outcome } = await node.nextEnded();
  return outcome.code;
}

test("revocation: a revoked caller's tunnel ends at both ends within a second, another's lives on", async () => {
  const { mesh } = attacks;
  const other = await openTunnel(
    attacks.credentials({ names: [uriName("spiffe://cluster.local/ns/shop/sa/c")] }),
  );
  const codes = await codesAfter(() => mesh.put(revocationOf("node-a", leafA)));
  expect(codes).toEqual(["own_certificate_revoked", "peer_certificate_revoked"]);
  other.send(headers(3, connectTo(`${mesh.network.b.v4}:${APP_PORT}`)));
  expect(await other.answer(3)).toBe(200);
  other.destroy();
});

test("revocation: a revoked destination's tunnel ends at both ends within a second", async () => {
  const { mesh } = attacks;
  const codes = await codesAfter(() => mesh.put(revocationOf("node-b", leafB)));
  expect(codes).toEqual(["peer_certificate_revoked", "own_certificate_revoked"]);
});

test("revocation: a stolen leaf and key are taken elsewhere before, refused and cut after", async () => {
  const { mesh } = attacks;
  const stolen = { key: leafA.keyPem, cert: leafA.chainPem };
  const tunnel = await openTunnel(stolen);
  const started = performance.now();
  mesh.put(revocationOf("node-a", leafA));
  await tunnel.closed();
  expect(performance.now() - started).toBeLessThan(WITHIN_MS);
  mesh.leaf(mesh.a, "a");
  await attacks.refused("peer_certificate_revoked", async () => {
    const tls = startTls(attacks.dial(), stolen);
    await new Promise((resolve) => tls.once("close", resolve));
  });
});

test("revocation: without another leaf nothing is opened, with it the waiting call goes through", async () => {
  const { mesh } = attacks;
  mesh.put(revocationOf("node-a", leafA));
  const socket = startFromPod(mesh.network.a, mesh.network.b.v4, APP_PORT);
  socket.write("waited");
  mesh.leaf(mesh.a, "a");
  expect(await nextText(socket)).toBe("waited");
  socket.destroy();
});

test("gone pod: the tunnels that it made end at both ends, and none of its is made any more", async () => {
  const { mesh } = attacks;
  const codes = await codesAfter(() =>
    mesh.remove({ kind: "workload", name: "uid-a" }, { kind: "enrolment", name: "uid-a" }),
  );
  expect(codes).toEqual(["workload_gone", "workload_gone"]);
  // Its process lives on, and with it listeners, rules and leaf.
  const ended = nextCode(mesh.a);
  const socket = startFromPod(mesh.network.a, mesh.network.b.v4, APP_PORT);
  await once(socket, "error");
  expect(await ended).toBe("no_leaf");
});

test("gone pod: the tunnels to it end at both ends, and it takes no other", async () => {
  const { mesh } = attacks;
  const codes = await codesAfter(() =>
    mesh.remove({ kind: "workload", name: "uid-b" }, { kind: "enrolment", name: "uid-b" }),
  );
  expect(codes).toEqual(["workload_gone", "workload_gone"]);
  const ended = nextCode(mesh.b);
  const tls = startTls(attacks.dial(), attacks.credentials());
  await new Promise((resolve) => tls.once("close", resolve));
  expect(await ended).toBe("workload_gone");
});

test("gone pod: whoever has its address and its account by then keeps the tunnels that it made", async () => {
  const { mesh } = attacks;
  const { a } = mesh.network;
  // As seen from elsewhere: the successor's workload is there before the predecessor's has gone.
  mesh.put(workload(a, "a", { uid: "uid-before", name: "before" }));
  mesh.put(workload(a, "a", {}));
  const socket = await openCall();
  mesh.remove({ kind: "workload", name: "uid-before" });
  socket.write("still");
  expect(await nextText(socket)).toBe("still");
  socket.destroy();
});
