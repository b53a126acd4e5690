import { expect, test } from "@jest/globals";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createCraftedRoot } from "../../test/fakes/crafted-ca.ts";
import { type CaObjects, viewCa } from "./ca-view.ts";
import type { ClusterObject } from "./cluster-objects.ts";

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
  return { metadata: { name: "weft-roots" }, data: { "roots.pem": pem } };
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

function view(objects: Partial<CaObjects>) {
  const given = { roots: configMap(YOUNG), meshConfig: undefined, reports: [], pods: [], now };
  return viewCa({ ...given, ...objects });
}

function meshConfig(leafLifetime: string): ClusterObject {
  return { metadata: { name: "default" }, spec: { certificates: { leafLifetime } } };
}

test("viewCa(): a mesh whose certificates all hold is healthy, with their ends and issuers", () => {
  const reports = [report([leaf("web", 20), leaf("api", 13)], ["u"])];
  const { healthy, roots, issuers, leaves } = view({ reports, pods: [pod("u", "web")] });
  expect(healthy).toBe(true);
  expect(roots).toEqual([
    {
      fingerprint: ISSUER,
      subject: "O=Crafted, CN=young",
      notAfter: new Date(now + 3640 * DAY_MS).toISOString(),
      secondsLeft: 3640 * 86_400,
      state: "valid",
    },
  ]);
  expect(issuers).toEqual([{ fingerprint: ISSUER, subject: "O=Crafted, CN=young", leaves: 2 }]);
  expect(leaves).toEqual([
    { node: "node-a", ...leaf("api", 13), secondsLeft: 13 * 3600, state: "valid" },
    { node: "node-a", ...leaf("web", 20), secondsLeft: 20 * 3600, state: "valid" },
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
