/** Writer, parser and CRD of NodeReport say the same: a field that the schema does not know would be pruned. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { NodeReport } from "../../core/model/node-report.ts";
import { parseKubeObject } from "../resources/kube-object.ts";
import { type KeptLeaves, parseKeptLeaves, parseNodeReport } from "../resources/node-report.ts";
import { nodeReportStatus, parseApplied } from "./node-report-object.ts";

interface Schema {
  readonly type: string;
  readonly format?: string;
  readonly maxLength?: number;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

interface Crd {
  readonly spec: {
    readonly versions: readonly [
      {
        readonly subresources?: object;
        readonly additionalPrinterColumns: readonly { readonly jsonPath: string }[];
        readonly schema: { readonly openAPIV3Schema: Schema };
      },
    ];
  };
}

const crd = parse(readFileSync("crds/node-report.yaml", "utf8")) as Crd;
const [version] = crd.spec.versions;
const status = version.schema.openAPIV3Schema.properties?.["status"];

const REPORT: NodeReport = {
  node: "node-a",
  version: "1.2.3",
  captures: [
    { uid: "u1", state: "captured", reason: "", message: "", connectionsOutside: 3 },
    { uid: "u2", state: "failed", reason: "no_netns", message: "gone", connectionsOutside: 0 },
  ],
  leaves: [
    {
      identity: "spiffe://a/ns/b/sa/c",
      issuer: "ab",
      serial: "0f",
      notBeforeMs: 0,
      notAfterMs: 1_900_000_000_123,
    },
  ],
  bundles: [{ trustDomain: "cluster.local", version: "v1" }],
  olderTunnels: [{ issuer: "cd", count: 2 }],
};
const HELD = new Map([
  ["policy shop/deny", { version: "v1" }],
  ["enrolment u1", { version: "v2" }],
]);
const REFUSED = [{ kind: "policy", name: "shop/large", reason: "too_many_rules" }] as const;
const KEPT: KeptLeaves = {
  nodeUid: "n1",
  earlier: [{ identity: "spiffe://a/ns/b/sa/c", serial: "0a", notAfterMs: 1_900_000_000_123 }],
  revoked: [{ serial: "0b", notAfterMs: 1_900_000_000_124 }],
};
const REPORTED_AT_MS = 1_900_000_000_456;

function written(report = REPORT): unknown {
  return JSON.parse(
    JSON.stringify(
      nodeReportStatus({
        report,
        applied: { held: HELD, refused: REFUSED },
        reportedAtMs: REPORTED_AT_MS,
        tunnels: ["u1", "u2"],
        kept: KEPT,
      }),
    ),
  );
}

/** Where a value is not what the schema says, as the API server would see it. */
function violations(value: unknown, schema: Schema | undefined, path: string): readonly string[] {
  if (!schema) return [`${path} is pruned`];
  if (Array.isArray(value)) {
    if (schema.type !== "array") return [`${path} is no list`];
    return value.flatMap((item, i) => violations(item, schema.items, `${path}[${i}]`));
  }
  if (typeof value === "object" && value !== null) {
    const missing = (schema.required ?? []).filter((name) => !(name in value));
    return [
      ...missing.map((name) => `${path}.${name} is missing`),
      ...Object.entries(value).flatMap(([name, inner]) =>
        violations(inner, schema.properties?.[name], `${path}.${name}`),
      ),
    ];
  }
  return scalarViolations(value, schema, path);
}

function scalarViolations(value: unknown, schema: Schema, path: string): readonly string[] {
  const expected = schema.type === "integer" ? "number" : schema.type;
  const found = [];
  if (typeof value !== expected) found.push(`${path} is no ${schema.type}`);
  if (schema.enum && !schema.enum.includes(value)) found.push(`${path} is none of the enum`);
  const text = String(value);
  if (text.length > (schema.maxLength ?? Number.POSITIVE_INFINITY)) found.push(`${path} too long`);
  if (schema.format === "date-time" && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(text)) {
    found.push(`${path} is no RFC 3339 time`);
  }
  return found;
}

test("nodeReportStatus(): the CRD keeps every field of it", () => {
  expect(violations(written(), status, "status")).toEqual([]);
});

test("nodeReportStatus(): a leaf that was taken back is told as revoked, and not as served", () => {
  const [leaf] = REPORT.leaves;
  if (!leaf) throw new Error("the report has no leaf");
  const [revoked] = KEPT.revoked;
  const report = { ...REPORT, leaves: [leaf, { ...leaf, serial: revoked?.serial ?? "" }] };
  expect(written(report)).toMatchObject({
    leaves: [{ serial: leaf.serial }],
    revoked: [{ serial: revoked?.serial }],
  });
});

test("nodeReportStatus(): what a node may report at most still fits the CRD", () => {
  const [capture] = REPORT.captures;
  const [leaf] = REPORT.leaves;
  if (!capture || !leaf) throw new Error("the report holds neither");
  const large = written({
    ...REPORT,
    version: "v".repeat(4096),
    captures: [{ ...capture, uid: "u".repeat(512), message: "m".repeat(4096) }],
    leaves: [{ ...leaf, notAfterMs: 8_640_000_000_000_000 }],
  });
  expect(violations(large, status, "status")).toEqual([]);
});

test("nodeReportStatus(): the check itself sees a field that the CRD does not know", () => {
  expect(violations({ capturd: 1 }, status, "status")).toContain("status.capturd is pruned");
});

test("the CRD of NodeReport: status is no subresource, and every printer column exists", () => {
  expect(version.subresources).toBeUndefined();
  const columns = version.additionalPrinterColumns
    .map(({ jsonPath }) => jsonPath.split("."))
    .filter(([, field]) => field === "status");
  expect(columns.length).toBeGreaterThan(2);
  for (const [, , name = ""] of columns) expect(status?.properties).toHaveProperty([name]);
});

test("parseNodeReport(): reads back all that nodeReportStatus() wrote", () => {
  const object = parseKubeObject({
    apiVersion: "weft.dev/v1",
    kind: "NodeReport",
    metadata: { name: "node-a" },
    status: written(),
  });
  if (object.kind !== "accepted") throw new Error(object.reasons.join());
  expect(parseNodeReport(object.value)).toEqual({
    kind: "accepted",
    value: { report: REPORT, reportedAtMs: REPORTED_AT_MS, tunnels: ["u1", "u2"] },
  });
  expect(parseKeptLeaves(object.value.status)).toEqual(KEPT);
  expect(parseApplied(object.value.status)?.refused).toEqual(REFUSED);
  expect([...(parseApplied(object.value.status)?.held.keys() ?? [])]).toEqual([
    "enrolment u1",
    "policy shop/deny",
  ]);
});
