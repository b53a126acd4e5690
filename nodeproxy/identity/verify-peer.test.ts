import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { afterEach, expect, test } from "@jest/globals";
import type { SpiffeId } from "../../core/model/spiffe-id.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { OID } from "../../core/x509/oid.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import {
  type Craft,
  type Crafted,
  createCraftedRoot,
  dnsName,
  otherName,
  uriName,
} from "../../test/fakes/crafted-ca.ts";
import { withTwinSignature } from "../../test/fakes/twin-signature.ts";
import { createTrustCheck, isStillTrusted } from "../tunnel/is-still-trusted.ts";
import { createTlsContexts, type TlsContexts } from "./tls-context.ts";
import { type VerifiedPeerResult, verifyPeer } from "./verify-peer.ts";
import { vouchersOf } from "./vouchers.ts";

const WEB = "spiffe://cluster.local/ns/shop/sa/web";
const API = "spiffe://cluster.local/ns/shop/sa/api";
const apiIdentity: SpiffeId = {
  trustDomain: "cluster.local",
  namespace: "shop",
  serviceAccount: "api",
};
const root = createCraftedRoot();
const bundles: readonly TrustBundle[] = [
  { trustDomain: "cluster.local", roots: [root.der], issuer: "", retired: [] },
];

const open: { close(): void }[] = [];

afterEach(() => {
  for (const it of open.splice(0)) it.close();
});

function contextsOf(uri: string, leaf: Crafted, trusted = bundles): TlsContexts {
  const contexts = createTlsContexts();
  contexts.setBundles(trusted);
  contexts.setLeaf({
    identity: uri,
    chainPem: leaf.chainPem,
    keyPem: leaf.keyPem,
    notAfterMs: Date.now() + 3_600_000,
  });
  return contexts;
}

interface Outcome {
  /** `tls:CODE` where the handshake itself failed. */
  readonly atServer: VerifiedPeerResult | string;
}

function codeOf(error: unknown): string {
  return Error.isError(error) && "code" in error ? `tls:${String(error.code)}` : String(error);
}

/** A server that is one of ours, and a client that may be anything. */
async function handshake(
  client: tls.ConnectionOptions,
  server: tls.TlsOptions | undefined = contextsOf(
    API,
    root.issue({ names: [uriName(API)] }),
  ).server(API),
  trusted = bundles,
): Promise<Outcome & { readonly socket: tls.TLSSocket }> {
  const listener = tls.createServer(server ?? {});
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const outcome = new Promise<VerifiedPeerResult | string>((resolve) => {
    listener.on("secureConnection", (socket) => {
      socket.on("error", () => undefined);
      resolve(verifyPeer(socket, { bundles: trusted, now: Date.now() }));
    });
    listener.on("tlsClientError", (error) => resolve(codeOf(error)));
  });
  const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...client });
  socket.on("error", () => undefined);
  open.push({
    close() {
      socket.destroy();
      listener.close();
    },
  });
  return { atServer: await outcome, socket };
}

function asClient(leaf: Crafted, uri = WEB): tls.ConnectionOptions {
  return { ...contextsOf(uri, leaf).client(uri), rejectUnauthorized: false };
}

test("verifyPeer(): two leaves of one mesh know each other, over TLS 1.3 with h2", async () => {
  const leaf = root.issue({ names: [uriName(WEB)] });
  const { atServer, socket } = await handshake({ ...contextsOf(WEB, leaf).client(WEB) });
  expect(atServer).toMatchObject({ kind: "verified", peer: { uri: WEB } });
  const now = Date.now();
  const asMeant = verifyPeer(socket, { bundles, now, expected: apiIdentity });
  expect(asMeant).toMatchObject({ kind: "verified", peer: { uri: API, identity: apiIdentity } });
  const expected = { ...apiIdentity, serviceAccount: "store" };
  expect(verifyPeer(socket, { bundles, now, expected })).toEqual({
    kind: "refused",
    reason: "peer_identity_unexpected",
  });
  expect(socket.getCipher().name).toBe("TLS_AES_128_GCM_SHA256");
});

test("verifyPeer(): a leaf that was taken back is refused, by its serial alone", async () => {
  const leaf = root.issue({ names: [uriName(WEB)] });
  const { socket } = await handshake({ ...contextsOf(WEB, leaf).client(WEB) });
  const server = new X509Certificate(socket.getPeerX509Certificate()?.raw ?? "");
  const revoked = new Set([server.serialNumber.toLowerCase()]);
  const options = { bundles, now: Date.now() };
  expect(verifyPeer(socket, { ...options, isRevoked: (serial) => revoked.has(serial) })).toEqual({
    kind: "refused",
    reason: "peer_certificate_revoked",
  });
  expect(verifyPeer(socket, { ...options, isRevoked: () => false }).kind).toBe("verified");
});

test("TlsContexts: nothing is opened or taken with a leaf that was taken back", () => {
  const revoked = new Set<string>();
  const contexts = createTlsContexts((serial) => revoked.has(serial));
  const { chainPem, keyPem, der } = root.issue({ names: [uriName(WEB)] });
  contexts.setBundles(bundles);
  contexts.setLeaf({ identity: WEB, chainPem, keyPem, notAfterMs: Date.now() + 1000 });
  expect(contexts.client(WEB)).toBeDefined();
  revoked.add(new X509Certificate(der).serialNumber.toLowerCase());
  expect(contexts.client(WEB)).toBeUndefined();
  expect(contexts.server(WEB)).toBeUndefined();
});

const refusals: readonly (readonly [string, Craft, string])[] = [
  ["two URIs", { names: [uriName(WEB), uriName(API)] }, "several_uris"],
  ["no name", {}, "no_spiffe_id"],
  ["a DNS name only", { names: [dnsName("web.shop.svc")] }, "no_spiffe_id"],
  [
    "a DNS name that looks like SPIFFE",
    { names: [uriName(WEB), dnsName(API)] },
    "peer_certificate_malformed",
  ],
  ["SPIFFE in the common name only", { commonName: WEB }, "no_spiffe_id"],
  ["an otherName beside the URI", { names: [uriName(WEB), otherName(API)] }, "foreign_names"],
  ["a NUL in the URI", { names: [uriName(`${WEB}\0.evil`)] }, "peer_certificate_malformed"],
  ["a NUL in a DNS name", { names: [uriName(WEB), dnsName("a\0b")] }, "peer_certificate_malformed"],
  [
    "another trust domain by our root",
    { names: [uriName("spiffe://evil.example/ns/shop/sa/web")] },
    "peer_trust_domain",
  ],
  ["CA:TRUE on the leaf", { names: [uriName(WEB)], isCa: true }, "leaf_is_ca"],
  ["keyCertSign on the leaf", { names: [uriName(WEB)], keyUsage: 0b1000_0100 }, "key_usage"],
  ["cRLSign on the leaf", { names: [uriName(WEB)], keyUsage: 0b1000_0010 }, "key_usage"],
  ["no key usage", { names: [uriName(WEB)], keyUsage: undefined }, "key_usage"],
  [
    "clientAuth without serverAuth",
    { names: [uriName(WEB)], extendedKeyUsage: [OID.clientAuth] },
    "extended_key_usage",
  ],
  [
    "no extended key usage",
    { names: [uriName(WEB)], extendedKeyUsage: undefined },
    "extended_key_usage",
  ],
];

test.each(refusals)("verifyPeer(): refuses a client with %s", async (_, craft, reason) => {
  const { atServer } = await handshake(asClient(root.issue(craft)));
  expect(atServer).toEqual({ kind: "refused", reason });
});

test.each([
  "spiffe://cluster.local:80/ns/shop/sa/web",
  "spiffe://user@cluster.local/ns/shop/sa/web",
  "spiffe://cluster.local/ns/shop/sa/web?x",
  "spiffe://cluster.local/ns/shop/sa/web#x",
  "spiffe://cluster.local/ns/shop/sa/w%65b",
  "spiffe://cluster.local/ns/../sa/web",
  "spiffe://cluster.local/ns//sa/web",
  "spiffe://cluster.local/ns/shop/sa/web/",
  "spiffe://cluster.local/ns/x/sa/y/z",
  "spiffe://Cluster.local/ns/shop/sa/web",
  "spiffe://cluster.local",
  "SPIFFE://cluster.local/ns/shop/sa/web",
  "https://cluster.local/ns/shop/sa/web",
])("verifyPeer(): refuses the malformed identity %s", async (uri) => {
  const { atServer } = await handshake(asClient(root.issue({ names: [uriName(uri)] })));
  expect(atServer).toEqual({ kind: "refused", reason: "spiffe_id_malformed" });
});

const HOUR_MS = 3_600_000;
const webName = { names: [uriName(WEB)] };

test.each([
  [
    "an expired leaf",
    root.issue({ ...webName, notAfterMs: Date.now() - 1000 }),
    /^tls:|ECONNRESET/,
  ],
  [
    "a leaf not yet valid",
    root.issue({ ...webName, notBeforeMs: Date.now() + HOUR_MS }),
    /^tls:|ECONNRESET/,
  ],
  [
    "a leaf of another mesh's CA of the same name",
    createCraftedRoot().issue(webName),
    /^tls:|ECONNRESET/,
  ],
  [
    "a critical extension that nobody knows",
    root.issue({ ...webName, criticalUnknown: true }),
    /^tls:|ECONNRESET/,
  ],
  ["a leaf that signs a leaf", root.issue(webName).issue(webName), /^tls:|ECONNRESET/],
  [
    "a path longer than its CA allows",
    root
      .issue({ isCa: true, pathLength: 0, keyUsage: 6, commonName: "a" })
      .issue({ isCa: true, keyUsage: 6, commonName: "b" })
      .issue(webName),
    /^tls:|ECONNRESET/,
  ],
  [
    "a SHA-1 signature",
    root.issue({ isCa: true, keyUsage: 6, commonName: "a" }).issue({ ...webName, hash: "sha1" }),
    /^tls:|ECONNRESET/,
  ],
])("tls-context: the handshake refuses %s", async (_, leaf, code) => {
  const client = { key: leaf.keyPem, cert: leaf.chainPem, ALPNProtocols: ["h2"] };
  const { atServer } = await handshake(client);
  expect(atServer).toMatch(code);
});

test("tls-context: the handshake refuses a client without certificate", async () => {
  const { atServer } = await handshake({ ALPNProtocols: ["h2"] });
  expect(atServer).toMatch(/^tls:|ECONNRESET/);
});

test.each(["TLSv1.2", "TLSv1.1"] as const)("tls-context: refuses %s", async (version) => {
  const leaf = root.issue(webName);
  const { atServer } = await handshake({
    key: leaf.keyPem,
    cert: leaf.chainPem,
    minVersion: version,
    maxVersion: version,
    ciphers: "ALL:@SECLEVEL=0",
    ALPNProtocols: ["h2"],
  });
  expect(atServer).toMatch(/^tls:ERR_SSL_UNSUPPORTED_PROTOCOL/);
});

test("tls-context: the handshake refuses a client with another ALPN", async () => {
  const { keyPem: key, chainPem: cert } = root.issue(webName);
  const { atServer } = await handshake({ key, cert, ALPNProtocols: ["http/1.1"] });
  expect(atServer).toMatch(/^tls:/);
});

test("verifyPeer(): refuses a client without ALPN", async () => {
  const { keyPem: key, chainPem: cert } = root.issue(webName);
  const { atServer } = await handshake({ key, cert });
  expect(atServer).toEqual({ kind: "refused", reason: "peer_alpn_not_h2" });
});

test("verifyPeer(): takes a leaf below an intermediate, sent behind junk certificates", async () => {
  const middle = root.issue({ isCa: true, pathLength: 0, keyUsage: 6, commonName: "middle" });
  const leaf = middle.issue(webName);
  const junk = createCraftedRoot("junk").issue({
    isCa: true,
    keyUsage: 6,
    commonName: "junk below",
  });
  const [own = "", ...above] = leaf.chainPem.split(/(?<=-----END CERTIFICATE-----\n)/);
  const cert = [own, junk.chainPem, ...above].join("");
  const client = { key: leaf.keyPem, cert, ALPNProtocols: ["h2"] };
  const { atServer } = await handshake(client);
  expect(atServer).toMatchObject({ kind: "verified", peer: { uri: WEB } });
});

test("verifyPeer(): a root vouches for its own trust domain only", async () => {
  const friend = createCraftedRoot("friend");
  const both = [
    ...bundles,
    { trustDomain: "friend.example", roots: [friend.der], issuer: "", retired: [] },
  ];
  const server = contextsOf(API, root.issue({ names: [uriName(API)] }), both).server(API);
  const good = friend.issue({ names: [uriName("spiffe://friend.example/ns/shop/sa/web")] });
  const forged = friend.issue(webName);
  const taken = await handshake(asClient(good), server, both);
  expect(taken.atServer).toMatchObject({ kind: "verified" });
  const refused = await handshake(asClient(forged), server, both);
  expect(refused.atServer).toEqual({ kind: "refused", reason: "peer_trust_domain" });
});

test("verifyPeer(): with several trust domains a chain that carries its root is taken too", async () => {
  const friend = createCraftedRoot("friend");
  const both = [
    ...bundles,
    { trustDomain: "friend.example", roots: [friend.der], issuer: "", retired: [] },
  ];
  const server = contextsOf(API, root.issue({ names: [uriName(API)] }), both).server(API);
  const leaf = root.issue({ isCa: true, keyUsage: 6, commonName: "middle" }).issue(webName);
  const cert = leaf.chainPem + formatCertificatesPem([root.der]);
  const client = { key: leaf.keyPem, cert, ALPNProtocols: ["h2"] };
  const { atServer } = await handshake(client, server, both);
  expect(atServer).toMatchObject({ kind: "verified", peer: { uri: WEB } });
});

test("tls-context: a session is never resumed", async () => {
  const leaf = root.issue(webName);
  const listener = tls.createServer(
    contextsOf(API, root.issue({ names: [uriName(API)] })).server(API) ?? {},
  );
  open.push(listener);
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const reused: boolean[] = [];
  listener.on("secureConnection", (socket) => {
    reused.push(socket.isSessionReused());
    socket.on("error", () => undefined);
    socket.end("done");
  });
  const sessions: Buffer[] = [];
  for (let round = 0; round < 3; round++) {
    const session = sessions.at(-1);
    const client = tls.connect({
      port,
      host: "127.0.0.1",
      ...asClient(leaf),
      ...(session ? { session } : {}),
    });
    client.on("session", (offered) => sessions.push(offered));
    client.resume();
    await once(client, "secureConnect");
    expect(client.isSessionReused()).toBe(false);
    await once(client, "close");
  }
  expect(reused).toEqual([false, false, false]);
});

test("verifyPeer(): refuses a socket that OpenSSL did not authorize", async () => {
  const leaf = createCraftedRoot("stranger").issue(webName);
  const server = {
    ...contextsOf(API, root.issue({ names: [uriName(API)] })).server(API),
    rejectUnauthorized: false,
  };
  const { atServer } = await handshake(asClient(leaf), server);
  expect(atServer).toEqual({ kind: "refused", reason: "peer_not_authorized" });
});

test("createTlsContexts(): contexts are built once for each leaf and set of roots", () => {
  const contexts = contextsOf(WEB, root.issue(webName));
  const first = contexts.client(WEB);
  const version = contexts.version(WEB);
  expect(contexts.client(WEB)).toBe(first);
  contexts.setBundles(bundles);
  expect(contexts.client(WEB)).not.toBe(first);
  expect(contexts.version(WEB)).toBeGreaterThan(version);
  contexts.dropLeaf(WEB);
  expect(contexts.client(WEB)).toBeUndefined();
  expect(contexts.server(WEB)).toBeUndefined();
});

test("createTlsContexts(): without roots nothing is opened, rather than by public CAs", () => {
  const contexts = contextsOf(WEB, root.issue(webName), []);
  expect(contexts.client(WEB)).toBeUndefined();
  expect(contexts.server(WEB)).toBeUndefined();
  expect(JSON.stringify(contexts)).not.toMatch(/PRIVATE/);
});

test("verifyPeer(): a leaf of another key kind than P-256 is read as well", async () => {
  const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { atServer } = await handshake(asClient(root.issue({ ...webName, keys })));
  expect(atServer).toMatchObject({ kind: "verified" });
});

const FOREIGN = "spiffe://friend.example/ns/shop/sa/web";
const RETIRED = { kind: "refused", reason: "peer_issuer_retired" };
const caCraft = { isCa: true, keyUsage: 6 };

test("verifyPeer(): a retired intermediate is refused, in either form of its signature, and its successor is taken", async () => {
  const first = root.issue({ ...caCraft, commonName: "signer" });
  const second = root.issue({ ...caCraft, commonName: "signer" });
  const retired = [certificateFingerprint(first.der)];
  const trusted = bundles.map((bundle) => ({ ...bundle, retired }));
  const server = contextsOf(API, second.issue({ names: [uriName(API)] }), trusted).server(API);
  const leaf = first.issue(webName);
  const twin = formatCertificatesPem([leaf.der, withTwinSignature(first.der)]);
  for (const cert of [leaf.chainPem, twin]) {
    const client = { key: leaf.keyPem, cert, ALPNProtocols: ["h2"] };
    expect((await handshake(client, server, trusted)).atServer).toEqual(RETIRED);
  }
  const next = await handshake(asClient(second.issue(webName)), server, trusted);
  expect(next.atServer).toMatchObject({ kind: "verified" });
});

test("verifyPeer(): a retired root helps nobody, not even cross-signed by a trusted one and shown in the chain", async () => {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const old = createCraftedRoot("old root", { keys });
  const cross = root.issue({ ...caCraft, commonName: "old root", keys });
  const leaf = old.issue(webName);
  const retired = [certificateFingerprint(old.der)];
  const trusted = bundles.map(({ roots, ...bundle }) => {
    return { ...bundle, roots: [...roots, old.der], retired };
  });
  const server = contextsOf(API, root.issue({ names: [uriName(API)] }), trusted).server(API);
  const cert = formatCertificatesPem([leaf.der, cross.der, old.der]);
  const client = { key: leaf.keyPem, cert, ALPNProtocols: ["h2"] };
  expect((await handshake(client, server, trusted)).atServer).toEqual(RETIRED);
  // Still among the roots by mistake: it vouches for nothing all the same.
  const { atServer } = await handshake(asClient(leaf), server, trusted);
  expect(atServer).toMatch(/^tls:|ECONNRESET/);
});

test("verifyPeer(): the own bundle vouches for the aliases of its trust domain, and for the same workload under them", async () => {
  const names = { trustDomain: "cluster.local", trustDomainAliases: ["friend.example"] };
  const meshDomains = ["cluster.local", "friend.example"];
  const trusted = vouchersOf(bundles, names);
  const server = contextsOf(API, root.issue({ names: [uriName(API)] }), trusted).server(API);
  const leaf = root.issue({ names: [uriName(FOREIGN)] });
  const { atServer } = await handshake(asClient(leaf, FOREIGN), server, trusted);
  expect(atServer).toMatchObject({ kind: "verified", peer: { uri: FOREIGN } });
  const alias = root.issue({ names: [uriName(API.replace("cluster.local", "friend.example"))] });
  const aliasServer = contextsOf(API, alias, trusted).server(API);
  const { socket } = await handshake(asClient(leaf, FOREIGN), aliasServer, trusted);
  const now = Date.now();
  const judge = { bundles: trusted, now, expected: apiIdentity };
  expect(verifyPeer(socket, { ...judge, meshDomains })).toMatchObject({ kind: "verified" });
  const unexpected = { kind: "refused", reason: "peer_identity_unexpected" };
  expect(verifyPeer(socket, judge)).toEqual(unexpected);
  const expected = { ...apiIdentity, serviceAccount: "store" };
  expect(verifyPeer(socket, { ...judge, expected, meshDomains })).toEqual(unexpected);
});

test("vouchersOf(): an alias with a bundle of its own is vouched for by that one alone", async () => {
  const friend = createCraftedRoot("friend");
  const both = [
    ...bundles,
    { trustDomain: "friend.example", roots: [friend.der], issuer: "", retired: [] },
  ];
  const names = { trustDomain: "cluster.local", trustDomainAliases: ["friend.example"] };
  const trusted = vouchersOf(both, names);
  expect(trusted).toEqual(both);
  const server = contextsOf(API, root.issue({ names: [uriName(API)] }), trusted).server(API);
  const own = await handshake(asClient(root.issue({ names: [uriName(FOREIGN)] })), server, trusted);
  expect(own.atServer).toEqual({ kind: "refused", reason: "peer_trust_domain" });
  const theirs = friend.issue({ names: [uriName(FOREIGN)] });
  const taken = await handshake(asClient(theirs), server, trusted);
  expect(taken.atServer).toMatchObject({ kind: "verified" });
});

test("isStillTrusted(): a root vouches for its own trust domain only, and the retired for none", async () => {
  const friend = createCraftedRoot("friend");
  const signer = friend.issue({ ...caCraft, commonName: "signer" });
  const theirs = { trustDomain: "friend.example", roots: [friend.der], issuer: "", retired: [] };
  const both = [...bundles, theirs];
  const leaf = signer.issue({ names: [uriName(FOREIGN)] });
  const server = contextsOf(FOREIGN, leaf, both).server(FOREIGN);
  const { socket } = await handshake(asClient(root.issue(webName)), server, both);
  expect(isStillTrusted(socket, both)).toBe(true);
  const swapped = [
    { ...theirs, trustDomain: "cluster.local" },
    { ...theirs, roots: [root.der] },
  ];
  expect(isStillTrusted(socket, swapped)).toBe(false);
  expect(isStillTrusted(socket, bundles)).toBe(false);
  const retired = [certificateFingerprint(signer.der)];
  expect(isStillTrusted(socket, [{ ...theirs, retired }])).toBe(false);
  const check = createTrustCheck(both);
  const forged = [leaf.der, root.issue({ ...caCraft, commonName: "signer" }).der];
  expect([leaf.chain, forged, leaf.chain, []].map(check)).toEqual([true, false, true, false]);
  const over = signer.issue({ names: [uriName(FOREIGN)], notAfterMs: Date.now() - 60_000 });
  // A stream may outlive its leaf; no handshake takes one.
  expect(check(over.chain)).toBe(true);
});
