/** Whoever comes to the tunnel port without a good certificate, or without TLS at all: refused, named, and felt by nobody else. */
import { once } from "node:events";
import { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { OID } from "../../core/x509/oid.ts";
import { openOutboundSocket } from "../../nodeproxy/sys/tcp-socket.ts";
import { type Craft, createCraftedRoot, dnsName, uriName } from "../fakes/crafted-ca.ts";
import { APP_PORT, type AttackMesh, createAttackMesh, IDENTITY_A } from "./attack-mesh.ts";
import { connectTo, headers, RawHttp2, startTls, type TlsAttack } from "./raw-http2.ts";
import { denyAll, enrolment } from "./traffic-mesh.ts";

const HOUR_MS = 3_600_000;
/** A client that says TLS 1.2 at most has nothing to renegotiate or to compress with: TLS 1.3 took both away. */
const TLS12 = { maxVersion: "TLSv1.2" } as const;
let attacks: AttackMesh;

beforeAll(async () => {
  attacks = await createAttackMesh("wt-atls");
});

afterAll(async () => {
  await attacks[Symbol.asyncDispose]();
});

async function tlsUntilClose(attack: TlsAttack): Promise<void> {
  const tls = startTls(attacks.dial(), attack);
  await new Promise((resolve) => tls.once("close", resolve));
}

async function bytesUntilClose(
  bytes: string | Buffer,
  part: { end?: boolean } = {},
): Promise<void> {
  const socket = attacks.dial();
  socket.resume().on("end", () => socket.end());
  socket.write(bytes);
  if (part.end) socket.end();
  await new Promise((resolve) => socket.once("close", resolve));
}

const OTHER_DOMAIN = "spiffe://evil.example/ns/shop/sa/a";
const OTHER_ROOT = createCraftedRoot("other mesh");

const CERTIFICATES: readonly (readonly [string, string, Craft])[] = [
  [
    "an expired certificate",
    "peer_certificate_expired",
    { notBeforeMs: Date.now() - 2 * HOUR_MS, notAfterMs: Date.now() - HOUR_MS },
  ],
  [
    "a certificate of tomorrow",
    "peer_certificate_expired",
    { notBeforeMs: Date.now() + HOUR_MS, notAfterMs: Date.now() + 2 * HOUR_MS },
  ],
  ["another trust domain by our CA", "peer_trust_domain", { names: [uriName(OTHER_DOMAIN)] }],
  ["a certificate without a SPIFFE ID", "no_spiffe_id", { names: [dnsName("a.shop.svc")] }],
  ["an identity in the common name only", "no_spiffe_id", { names: [], commonName: IDENTITY_A }],
  ["two identities", "several_uris", { names: [uriName(IDENTITY_A), uriName(`${IDENTITY_A}b`)] }],
  ["a CA as leaf", "leaf_is_ca", { isCa: true, keyUsage: 0b1000_0110 }],
  ["a server's certificate only", "peer_not_authorized", { extendedKeyUsage: [OID.serverAuth] }],
];

for (const [what, code, craft] of CERTIFICATES) {
  test(`tunnel port: ${what} is refused as ${code}`, async () => {
    const { facts } = await attacks.refused(code, () => tlsUntilClose(attacks.credentials(craft)));
    expect(facts.sourceAddress).toMatch(/^10\.77\.0\.1:[1-9]/);
    // Nothing that was not proven is told as an identity.
    expect(facts.source.identity).toBe("");
  });
}

const OTHERS: readonly (readonly [string, string, () => Promise<void>])[] = [
  ["no certificate", "peer_certificate_missing", () => tlsUntilClose({})],
  [
    "a certificate of another mesh's CA",
    "peer_not_authorized",
    () => tlsUntilClose(attacks.credentials({}, OTHER_ROOT)),
  ],
  [
    "a self-signed certificate with a right name",
    "peer_not_authorized",
    () => tlsUntilClose(selfSigned()),
  ],
  ["TLS 1.2", "tls_handshake_failed", () => tlsUntilClose({ ...attacks.credentials(), ...TLS12 })],
  [
    "HTTP/1.1 by ALPN",
    "tls_handshake_failed",
    () => tlsUntilClose({ ...attacks.credentials(), alpn: ["http/1.1"] }),
  ],
  ["no ALPN", "peer_alpn_not_h2", () => tlsUntilClose({ ...attacks.credentials(), alpn: [] })],
  [
    "HTTP/1.1 without TLS",
    "tls_handshake_failed",
    () => bytesUntilClose("GET / HTTP/1.1\r\nhost: b\r\n\r\n"),
  ],
  [
    "HTTP/2 without TLS",
    "tls_handshake_failed",
    () => bytesUntilClose("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  ],
  [
    "a PROXY header before TLS",
    "tls_handshake_failed",
    () => bytesUntilClose("PROXY TCP4 10.77.0.2 10.77.0.3 4711 15008\r\n"),
  ],
  ["random bytes", "tls_handshake_failed", () => bytesUntilClose(Buffer.alloc(300, 0xa5))],
  [
    "a hello that ends in the middle",
    "tls_handshake_failed",
    () => bytesUntilClose(Buffer.from("1603010200010001fc0303", "hex"), { end: true }),
  ],
  [
    "HTTP/1.1 inside good TLS",
    "http2_protocol_error",
    async () => {
      const inside = new RawHttp2(startTls(attacks.dial(), attacks.credentials()));
      inside.send(Buffer.from("GET / HTTP/1.1\r\nhost: b\r\n\r\n"));
      expect(await inside.answer(1)).toBe("goaway 1");
      inside.destroy();
    },
  ],
];

function selfSigned(): TlsAttack {
  const names = [uriName(IDENTITY_A)];
  const { keyPem, chainPem } = createCraftedRoot("self").issue({ names });
  return { key: keyPem, cert: chainPem };
}

for (const [what, code, attack] of OTHERS) {
  test(`tunnel port: ${what} is refused as ${code}`, async () => {
    const { facts } = await attacks.refused(code, attack);
    expect(facts.sourceAddress).toMatch(/^10\.77\.0\.1:[1-9]/);
  });
}

test("tunnel port: our CA and an identity that no policy allows is denied and named", async () => {
  const { mesh } = attacks;
  const deny = denyAll("shop/deny");
  mesh.put(deny, enrolment(mesh.network.b, "b", { policies: ["shop/deny"] }));
  const names = [uriName("spiffe://cluster.local/ns/shop/sa/mallory")];
  const told = mesh.b.nextEnded();
  const tunnel = attacks.tunnel(attacks.credentials({ names }));
  const before = attacks.seen.length;
  tunnel.send(headers(1, connectTo(`${mesh.network.b.v4}:${APP_PORT}`)));
  expect(await tunnel.answer(1)).toBe(401);
  const { facts, outcome } = await told;
  expect(facts.source.identity).toBe("spiffe://cluster.local/ns/shop/sa/mallory");
  expect(outcome).toMatchObject({ code: "denied_by_policy", policy: "shop/deny", rule: 0 });
  expect(attacks.seen).toHaveLength(before);
  tunnel.destroy();
  mesh.put(enrolment(mesh.network.b, "b", {}));
  await attacks.stillServes();
});

test("tunnel port: whoever says nothing, before or after TLS, is ended in ten seconds", async () => {
  const { mesh, seen } = attacks;
  const [told, known] = [mesh.b.ended.length, seen.length];
  const started = performance.now();
  await Promise.all([
    bytesUntilClose(""),
    bytesUntilClose(Buffer.of(0x16, 3, 1)),
    attacks.refused("http2_preface_timeout", () => tlsUntilClose(attacks.credentials())),
  ]);
  expect(performance.now() - started).toBeGreaterThan(9_000);
  expect(performance.now() - started).toBeLessThan(120_000);
  const codes = mesh.b.ended.slice(told).map(({ outcome }) => outcome.code);
  expect(codes.filter((code) => code === "tls_handshake_timeout")).toHaveLength(2);
  // The one call of `refused` itself.
  expect(seen.length - known).toBe(1);
});

test("tunnel port: handshakes without end from one address do not shut out another's", async () => {
  const { mesh } = attacks;
  const before = mesh.b.ended.length;
  const flood = Array.from({ length: 600 }, () => attacks.dial());
  await Promise.all(
    flood.filter((socket) => socket.connecting).map((socket) => once(socket, "connect")),
  );
  const address = mesh.network.b.v4;
  const fd = openOutboundSocket({ namespace: mesh.network.a.namespace, family: 4 });
  const other = new Socket({ fd }).connect({ host: address, port: 15_008 });
  const tunnel = new RawHttp2(startTls(other, attacks.credentials())).greet();
  tunnel.send(headers(1, connectTo(`${address}:${APP_PORT}`)));
  expect(await tunnel.answer(1)).toBe(200);
  const refused = mesh.b.ended
    .slice(before)
    .filter(({ outcome }) => outcome.code === "too_many_handshakes");
  expect(refused.length).toBeGreaterThanOrEqual(600 - 512);
  expect(new Set(refused.map(({ facts }) => facts.sourceAddress.split(":")[0]))).toEqual(
    new Set(["10.77.0.1"]),
  );
  tunnel.destroy();
  for (const socket of flood) socket.destroy();
  while (mesh.b.ended.length - before < flood.length) await mesh.b.nextEnded();
  // And the flooder's own are taken again once the others have ended.
  const again = attacks.tunnel();
  again.send(headers(1, connectTo(`${address}:${APP_PORT}`)));
  expect(await again.answer(1)).toBe(200);
  again.destroy();
});
