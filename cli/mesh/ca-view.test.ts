import { expect, test } from "@jest/globals";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createHierarchy } from "../../operator/ca/intermediate.ts";
import { createCraftedRoot } from "../../test/fakes/crafted-ca.ts";
import { type CaObjects, viewCa } from "./ca-view.ts";
import type { ClusterObject } from "./cluster-objects.ts";
import type { Scrape } from "./server-view.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const now = Date.UTC(2030, 0, 1);

/** From so many days before now, until so many after it. */
function root(name: string, [before, after]: readonly [number, number]) {
  const notBeforeMs = now - before * DAY_MS;
  return createCraftedRoot(name, { notBeforeMs, notAfterMs: now + after * DAY_MS });
}

const YOUNG = root("young", [10, 3640]);
const ISSUER = certificateFingerprint(YOUNG.der);

function configMap(...roots: readonly { readonly der: Uint8Array }[]): ClusterObject {
  const pem = formatCertificatesPem(roots.map(({ der }) => der));
  // The root signs itself.
  return { metadata: { name: "weft-roots" }, data: { "roots.pem": pem, "issuers.pem": "" } };
}

function leaf(account: string, hoursLeft: number, issuer = ISSUER) {
  const notAfter = new Date(now + hoursLeft * HOUR_MS).toISOString();
  return { identity: `spiffe://cluster.local/ns/shop/sa/${account}`, issuer, notAfter };
}

function report(leaves: readonly object[], captured: readonly string[] = []): ClusterObject {
  const captures = captured.map((uid) => ({ uid, state: "captured" }));
  return { metadata: { name: "node-a" }, status: { leaves, captures } };
}

function pod(uid: string, account: string): ClusterObject {
  const metadata = { name: uid, namespace: "shop", uid };
  return { metadata, spec: { nodeName: "node-a", serviceAccountName: account } };
}

/** Hours left. */
function scrape(certificates: Readonly<Record<string, number>>): Scrape {
  const lines = Object.entries(certificates).map(
    ([certificate, hours]) =>
      `weft_operator_certificate_expiry_seconds{certificate="${certificate}"} ${hours * 3600}\n` +
      `weft_operator_certificate_issued_timestamp_seconds{certificate="${certificate}"} ${now / 1000 - 3600}\n`,
  );
  return { kind: "page", pod: "op-1", page: `# TYPE x gauge\n${lines.join("")}` };
}

function view(objects: Partial<CaObjects>) {
  return viewCa({
    roots: configMap(YOUNG),
    meshConfig: undefined,
    rotations: [],
    reports: [],
    pods: [],
    scrapes: [scrape({ grpc: 20, webhook: 20 })],
    now,
    ...objects,
  });
}

function meshConfig(leafLifetime: string): ClusterObject {
  return { metadata: { name: "default" }, spec: { certificates: { leafLifetime } } };
}

/** Of a leaf whose node does not say more. */
const UNSAID = { serial: "", notBefore: "", issuedAt: "", renewedBy: "node-proxy" };

test("viewCa(): a mesh whose certificates all hold is healthy, with their ends and issuers", () => {
  const reports = [report([leaf("web", 20), leaf("api", 13)], ["u"])];
  const { healthy, roots, issuers, leaves } = view({ reports, pods: [pod("u", "web")] });
  expect(healthy).toBe(true);
  expect(roots).toEqual([
    {
      fingerprint: ISSUER,
      subject: "O=Crafted, CN=young",
      notBefore: new Date(now - 10 * DAY_MS).toISOString(),
      notAfter: new Date(now + 3640 * DAY_MS).toISOString(),
      secondsLeft: 3640 * 86_400,
      renewedBy: "owner",
      state: "valid",
    },
  ]);
  expect(issuers).toEqual([{ fingerprint: ISSUER, subject: "O=Crafted, CN=young", leaves: 2 }]);
  expect(leaves).toEqual([
    { node: "node-a", ...leaf("api", 13), ...UNSAID, secondsLeft: 13 * 3600, state: "valid" },
    { node: "node-a", ...leaf("web", 20), ...UNSAID, secondsLeft: 20 * 3600, state: "valid" },
  ]);
});

test.each([
  ["24h", 6, "valid"],
  ["24h", 5.99, "renewal_late"],
  ["24h", 0, "expired"],
  ["24h", -3, "expired"],
  ["1h", 0.25, "valid"],
  ["1h", 0.24, "renewal_late"],
  ["1h30m", 0.37, "renewal_late"],
  ["what nobody accepts", 5.99, "renewal_late"],
])("viewCa(): of a life of %s with %s h left a leaf is %s", (lifetime, hoursLeft, state) => {
  const reports = [report([leaf("web", hoursLeft)])];
  const { healthy, leaves } = view({ reports, meshConfig: meshConfig(lifetime) });
  expect([leaves[0]?.state, healthy]).toEqual([state, state === "valid"]);
});

test("viewCa(): an end that cannot be read is no end in the future", () => {
  const { leaves } = view({ reports: [report([{ ...leaf("web", 9), notAfter: "soon" }])] });
  expect(leaves).toMatchObject([{ state: "expired" }]);
});

test("viewCa(): a captured pod for whose identity its node serves nothing is missing a certificate", () => {
  const pods = [pod("u", "web"), pod("v", "api"), pod("w", "api"), pod("not-captured", "db")];
  const elsewhere = { ...report([leaf("api", 20)]), metadata: { name: "node-b" } };
  const reports = [report([leaf("web", 20)], ["u", "v", "w"]), elsewhere];
  const { healthy, leaves } = view({ reports, pods });
  expect(healthy).toBe(false);
  expect(leaves.filter(({ state }) => state !== "valid")).toMatchObject([
    { node: "node-a", identity: "spiffe://cluster.local/ns/shop/sa/api", state: "missing" },
  ]);
});

test("viewCa(): an issuer that is no root of the bundle has no name", () => {
  const { issuers, healthy } = view({ reports: [report([leaf("web", 20, "ab")])] });
  expect([issuers, healthy]).toEqual([[{ fingerprint: "ab", subject: "", leaves: 1 }], true]);
});

const OLD = root("old", [3000, 640]);
const OVER = root("over", [3000, -1]);
test.each([
  ["in its last quarter, alone", [OLD], ["ending"]],
  ["in its last quarter, beside a younger one", [OLD, YOUNG], ["replaced", "valid"]],
  ["that has ended, beside a younger one", [OVER, YOUNG], ["expired", "valid"]],
  ["in its last quarter, beside one that has ended", [OLD, OVER], ["ending", "expired"]],
])("viewCa(): a root %s", (_, roots, states) => {
  const seen = view({ roots: configMap(...roots) });
  expect(seen.roots.map(({ state }) => state)).toEqual(states);
  expect(seen.healthy).toBe(!states.includes("ending") && !states.includes("expired"));
});

test("viewCa(): roots that are not there or cannot be read are a problem, never a crash", () => {
  function problemOf(roots: ClusterObject | undefined): string {
    const { healthy, rootsProblem } = view({ roots });
    return healthy ? "healthy" : rootsProblem;
  }
  const metadata = { name: "weft-roots" };
  const junk = formatCertificatesPem([Uint8Array.of(1, 2, 3)]);
  expect(problemOf(undefined)).toMatch(/no ConfigMap/);
  expect(problemOf({ metadata, data: { "roots.pem": "" } })).toMatch(/no certificate/);
  expect(problemOf({ metadata, data: { "roots.pem": junk } })).toMatch(/what is no certificate/);
  expect(problemOf({ metadata, data: { "roots.pem": "-----BEGIN" } })).toMatch(/not a certificate/);
});

test("viewCa(): a leaf tells its serial and when it was renewed last, five minutes after it begins", () => {
  const notBefore = new Date(now - HOUR_MS).toISOString();
  const said = { ...leaf("web", 20), serial: "0a", notBefore };
  const epoch = { ...leaf("api", 21), serial: "", notBefore: new Date(0).toISOString() };
  const { leaves } = view({ reports: [report([said, epoch])] });
  const issuedAt = new Date(now - HOUR_MS + 300_000).toISOString();
  expect(leaves).toMatchObject([
    { serial: "0a", notBefore, issuedAt },
    { serial: "", notBefore: "", issuedAt: "" },
  ]);
});

function withIntermediate(daysBefore: number, daysAfter: number): ClusterObject {
  const notBeforeMs = now - daysBefore * DAY_MS;
  const signer = YOUNG.issue({
    commonName: "signer",
    isCa: true,
    notBeforeMs,
    notAfterMs: now + daysAfter * DAY_MS,
  });
  const pem = formatCertificatesPem([YOUNG.der]);
  const issuersPem = formatCertificatesPem(signer.chain);
  return { metadata: { name: "r" }, data: { "roots.pem": pem, "issuers.pem": issuersPem } };
}

test.each([
  [1, 364, "valid"],
  // 90 days at most: of a year's life that is just before a quarter.
  [275, 90, "valid"],
  [276, 89, "ending"],
  // Of a life of eight days two.
  [5, 3, "valid"],
  [7, 1, "ending"],
  [400, -1, "expired"],
])("viewCa(): an intermediate after %d days with %d left is %s", (before, after, state) => {
  const { intermediates, healthy } = view({ roots: withIntermediate(before, after) });
  expect(intermediates).toMatchObject([
    { subject: "O=Crafted, CN=signer", secondsLeft: after * 86_400, state },
  ]);
  expect(healthy).toBe(state === "valid");
});

test("viewCa(): an issuer that is the intermediate in use has its name", () => {
  const roots = withIntermediate(1, 364);
  const [intermediate] = view({ roots }).intermediates;
  const issuer = intermediate?.fingerprint ?? "";
  const { issuers } = view({ roots, reports: [report([leaf("web", 20, issuer)])] });
  expect(issuers).toEqual([{ fingerprint: issuer, subject: "O=Crafted, CN=signer", leaves: 1 }]);
});

test("viewCa(): who renews: the owner of a brought CA, cert-manager where MeshConfig names an issuer", () => {
  const roots = withIntermediate(1, 364);
  const signed = { metadata: { name: "default" }, spec: { certificates: { issuerRef: {} } } };
  function renewedBy(config: ClusterObject | undefined) {
    const seen = view({ roots, meshConfig: config });
    return [seen.roots[0]?.renewedBy, seen.intermediates[0]?.renewedBy];
  }
  expect(renewedBy(undefined)).toEqual(["owner", "owner"]);
  expect(renewedBy(signed)).toEqual(["cert-manager", "cert-manager"]);
  const own = createHierarchy({ trustDomain: "cluster.local", place: "here", now });
  const data = { "roots.pem": own.rootsPem, "issuers.pem": own.certificatesPem };
  for (const config of [undefined, signed]) {
    const seen = view({ roots: { metadata: { name: "r" }, data }, meshConfig: config });
    expect(seen.roots).toMatchObject([{ renewedBy: "weftctl ca rotate", state: "valid" }]);
    expect(seen.intermediates).toMatchObject([{ renewedBy: "operator", state: "valid" }]);
  }
});

test("viewCa(): an operator that does not publish what signs is something not known, not trouble", () => {
  const pem = formatCertificatesPem([YOUNG.der]);
  const { healthy, unknown, intermediates } = view({
    roots: { metadata: { name: "r" }, data: { "roots.pem": pem } },
  });
  expect([healthy, intermediates]).toEqual([true, []]);
  expect(unknown).toEqual(["no ConfigMap weft-roots with issuers.pem is there"]);
});

test("viewCa(): the operator's own certificates as each replica tells them", () => {
  const { servers, healthy, unknown } = view({});
  expect(servers).toEqual(
    ["grpc", "webhook"].map((certificate) => ({
      pod: "op-1",
      certificate,
      secondsLeft: 72_000,
      notAfter: new Date(now + 20 * HOUR_MS).toISOString(),
      issuedAt: new Date(now - HOUR_MS).toISOString(),
      renewedBy: "operator",
      state: "valid",
      problem: "",
    })),
  );
  expect([healthy, unknown]).toEqual([true, []]);
});

test.each([
  ["with less than 4 h left is late", [scrape({ grpc: 20, webhook: 3.9 })], "renewal_late"],
  ["that has ended", [scrape({ grpc: 20, webhook: -1 })], "expired"],
])("viewCa(): a webhook certificate %s, and that is trouble", (_, scrapes, state) => {
  const { servers, healthy } = view({ scrapes });
  expect([servers[1]?.state, healthy]).toEqual([state, false]);
});

test("viewCa(): without an operator nothing is renewed, and that is trouble", () => {
  expect(view({ scrapes: [] }).healthy).toBe(false);
});

test("viewCa(): a missing right is told in the row; a replica that does not answer is not known as well", () => {
  const notSeen = view({ scrapes: [{ kind: "not_seen", pod: "op-1", message: "needs it" }] });
  expect(notSeen.servers).toMatchObject([
    { certificate: "grpc", state: "not_seen", problem: "needs it", secondsLeft: 0, notAfter: "" },
    { certificate: "webhook", state: "not_seen" },
  ]);
  expect([notSeen.healthy, notSeen.unknown]).toEqual([true, []]);
  const away = view({ scrapes: [{ kind: "unanswered", pod: "op-1", message: "no route" }] });
  expect([away.healthy, away.unknown]).toEqual([true, ["op-1: no route"]]);
  const older = view({ scrapes: [{ kind: "page", pod: "op-1", page: "other 1\n" }] });
  expect(older.servers[0]?.state).toBe("unanswered");
  expect(older.unknown).toHaveLength(1);
});

test("viewCa(): the rotation under way, which is trouble once a node has held it up for 15 minutes", () => {
  function rotation(minutes: number, phase = "Add"): ClusterObject {
    const phaseSince = new Date(now - minutes * 60_000).toISOString();
    const nodes = [{ name: "node-a", state: "Waiting" }];
    const status = { phase, phaseSince, nodes };
    return { metadata: { name: "root-1" }, spec: { authority: "root" }, status };
  }
  const fresh = view({ rotations: [rotation(14)] });
  expect([fresh.rotation?.name, fresh.healthy]).toEqual(["root-1", true]);
  expect(view({ rotations: [rotation(16)] }).healthy).toBe(false);
  const over = view({ rotations: [rotation(16, "Complete")] });
  expect([over.rotation, over.healthy]).toEqual([null, true]);
});
