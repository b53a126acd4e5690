import { expect, test } from "@jest/globals";
import { compileMeshSettings } from "../compile/mesh-settings.ts";
import { DEFAULT_MESH_SETTINGS, parseMeshConfig } from "./mesh-config.ts";

function parse(spec: unknown, name = "default") {
  return parseMeshConfig({
    apiVersion: "weft.dev/v1",
    kind: "MeshConfig",
    metadata: { name },
    spec,
  });
}

test("parseMeshConfig(): fills in what is left out", () => {
  expect(parse({})).toMatchObject({ kind: "accepted", value: { settings: DEFAULT_MESH_SETTINGS } });
});

test("parseMeshConfig(): reads every field", () => {
  const spec = {
    trustDomain: "prod.example",
    trustDomainAliases: ["old"],
    certificates: { leafLifetime: "1h30m" },
    accessLog: { enabled: false },
    outboundPolicy: "registryOnly",
    rootNamespace: "weft-system",
  };
  expect(parse(spec)).toMatchObject({
    value: {
      settings: {
        trustDomain: "prod.example",
        trustDomainAliases: ["old"],
        leafLifetimeSeconds: 5_400,
        accessLog: false,
        outboundPolicy: "REGISTRY_ONLY",
      },
    },
  });
});

test.each([
  ["allowAny", "ALLOW_ANY"],
  ["ALLOW_ANY", "ALLOW_ANY"],
  ["registryOnly", "REGISTRY_ONLY"],
  ["REGISTRY_ONLY", "REGISTRY_ONLY"],
])("parseMeshConfig(): outboundPolicy %s, in our spelling and in Istio's", (written, policy) => {
  const parsed = parse({ outboundPolicy: written });
  expect(parsed).toMatchObject({ value: { settings: { outboundPolicy: policy } } });
});

test.each([
  [{ name: "corporate" }, { name: "corporate", kind: "Issuer", group: "cert-manager.io" }],
  [
    { name: "a.b", kind: "ClusterIssuer" },
    { name: "a.b", kind: "ClusterIssuer", group: "cert-manager.io" },
  ],
  [
    { name: "pca", kind: "AWSPCAClusterIssuer", group: "awspca.cert-manager.io" },
    { name: "pca", kind: "AWSPCAClusterIssuer", group: "awspca.cert-manager.io" },
  ],
])("parseMeshConfig(): the issuer %j", (issuerRef, value) => {
  expect(parse({ certificates: { issuerRef } })).toMatchObject({ value: { issuerRef: value } });
});

test("parseMeshConfig(): without an issuer the operator signs itself", () => {
  expect(parse({ certificates: {} })).toMatchObject({ value: { issuerRef: undefined } });
});

for (const [text, seconds] of [
  ["1m", 60],
  ["90s", 90],
  ["720h", 2_592_000],
] as const) {
  test(`parseMeshConfig(): a lifetime of ${text} is ${seconds} s`, () => {
    expect(parse({ certificates: { leafLifetime: text } })).toMatchObject({
      value: { settings: { leafLifetimeSeconds: seconds } },
    });
  });
}

const refused: [string, unknown, string][] = [
  [
    "an issuer without a name",
    { certificates: { issuerRef: { kind: "Issuer" } } },
    "spec.certificates.issuerRef.name",
  ],
  [
    "an issuer whose name is none",
    { certificates: { issuerRef: { name: "Corporate CA" } } },
    "spec.certificates.issuerRef.name",
  ],
  [
    "an issuer of a kind that cert-manager does not have",
    { certificates: { issuerRef: { name: "a", kind: "Root" } } },
    "spec.certificates.issuerRef.kind",
  ],
  [
    "an unknown field of the issuer",
    { certificates: { issuerRef: { name: "a", namespace: "b" } } },
    "spec.certificates.issuerRef.namespace",
  ],
  [
    "a lifetime under a minute",
    { certificates: { leafLifetime: "59s" } },
    "spec.certificates.leafLifetime",
  ],
  [
    "a lifetime over 30 days",
    { certificates: { leafLifetime: "721h" } },
    "spec.certificates.leafLifetime",
  ],
  [
    "a lifetime in days",
    { certificates: { leafLifetime: "1d" } },
    "spec.certificates.leafLifetime",
  ],
  [
    "a lifetime as number",
    { certificates: { leafLifetime: 60 } },
    "spec.certificates.leafLifetime",
  ],
  ["another root namespace", { rootNamespace: "istio-system" }, "spec.rootNamespace"],
  ["an outbound policy that is none", { outboundPolicy: "registry_only" }, "spec.outboundPolicy"],
  ["a member of every object", { outboundPolicy: "toString" }, "spec.outboundPolicy"],
  ["an upper-case trust domain", { trustDomain: "Prod" }, "spec.trustDomain"],
  ["a text for a boolean", { accessLog: { enabled: "true" } }, "spec.accessLog.enabled"],
  ["an unknown field", { trustDomains: [] }, "spec.trustDomains"],
];

for (const [name, spec, field] of refused) {
  test(`parseMeshConfig(): refuses ${name}`, () => {
    const parsed = parse(spec);
    expect(parsed.kind === "refused" && parsed.reasons.map((reason) => reason.field)).toEqual([
      field,
    ]);
  });
}

test("parseMeshConfig(): there is one, named default", () => {
  expect(parse({}, "other")).toMatchObject({
    kind: "refused",
    reasons: [{ field: "metadata.name" }],
  });
});

test("compileMeshSettings(): a bad MeshConfig leaves the last good or the defaults", () => {
  const good = { ...DEFAULT_MESH_SETTINGS, trustDomain: "good" };
  const bad = parse({ trustDomain: "" });
  expect(compileMeshSettings(bad, good)).toBe(good);
  expect(compileMeshSettings(bad, undefined)).toBe(DEFAULT_MESH_SETTINGS);
  expect(compileMeshSettings(parse({ trustDomain: "td" }), good).trustDomain).toBe("td");
  expect(compileMeshSettings(undefined, good)).toBe(DEFAULT_MESH_SETTINGS);
});
