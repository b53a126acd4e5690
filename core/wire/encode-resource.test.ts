import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { anyNodeReport, anyResource } from "../../test/fakes/any-resource.ts";
import type { NodeReport } from "../model/node-report.ts";
import type { Resource } from "../model/resource.ts";
import { decodeChanges } from "./decode-changes.ts";
import { decodeReport } from "./decode-report.ts";
import { decodeResource } from "./decode-resource.ts";
import { encodeReport } from "./encode-report.ts";
import { encodeResource } from "./encode-resource.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

function overTheWire(resource: Resource): wire.Resource {
  const bytes = toBinary(wire.ResourceSchema, encodeResource(resource));
  return fromBinary(wire.ResourceSchema, bytes);
}

function reportOverTheWire(report: NodeReport): wire.Report {
  return fromBinary(wire.ReportSchema, toBinary(wire.ReportSchema, encodeReport(report)));
}

const bundle: Resource = {
  name: "cluster.local",
  version: "1",
  body: {
    kind: "bundle",
    value: { trustDomain: "cluster.local", roots: [Uint8Array.of(1, 2)], issuer: "", retired: [] },
  },
};

const policy: Resource = {
  name: "shop/web",
  version: "1",
  body: {
    kind: "policy",
    value: {
      ref: "shop/web",
      action: "ALLOW",
      dryRun: false,
      invalid: false,
      rules: [
        {
          index: 0,
          from: [],
          to: [{ ports: [80], notPorts: [] }],
          when: [
            { key: "source.namespace", values: [{ kind: "exact", value: "a" }], notValues: [] },
          ],
        },
      ],
    },
  },
};

test("decodeResource(): gives back what encodeResource() was given, for every kind", () => {
  fc.assert(
    fc.property(anyResource(), (resource) => {
      expect(decodeResource(overTheWire(resource))).toEqual({ kind: "decoded", value: resource });
    }),
    { numRuns: 300 },
  );
});

test("decodeReport(): gives back what encodeReport() was given", () => {
  fc.assert(
    fc.property(anyNodeReport(), (report) => {
      const decoded = decodeReport(report.node, reportOverTheWire(report));
      expect(decoded).toEqual({ kind: "decoded", value: report });
    }),
  );
});

test("decodeResource(): answers any valid protobuf without throwing", () => {
  fc.assert(
    fc.property(
      anyResource(),
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(),
      (resource, noise, at) => {
        const bytes = toBinary(wire.ResourceSchema, encodeResource(resource));
        const torn = Uint8Array.from([...bytes.slice(0, at % bytes.length), ...noise]);
        let message: wire.Resource;
        try {
          message = fromBinary(wire.ResourceSchema, torn);
        } catch {
          return;
        }
        expect(["decoded", "refused"]).toContain(decodeResource(message).kind);
      },
    ),
    { numRuns: 500 },
  );
});

test.each<[string, (message: wire.Resource) => void, string]>([
  [
    "unknown body",
    (m) => Object.assign(m, { body: { case: undefined } }),
    "body: of no known kind",
  ],
  ["name with a space", (m) => Object.assign(m, { name: "a b" }), "name: not a name"],
  ["name of another", (m) => Object.assign(m, { name: "b" }), "name: not the name of its body"],
  ["empty version", (m) => Object.assign(m, { version: "" }), "version: not a name"],
  ["no roots", (m) => Object.assign(m.body.value ?? {}, { roots: [] }), "roots: none"],
  [
    "trust domain in capitals",
    (m) => Object.assign(m.body.value ?? {}, { trustDomain: "Cluster" }),
    "trustDomain: not a trust domain",
  ],
])("decodeResource(): refuses a bundle with %s", (_, spoil, reason) => {
  const message = overTheWire(bundle);
  spoil(message);
  const decoded = decodeResource(message);
  expect(decoded.kind === "refused" ? decoded.reasons : []).toContain(reason);
});

function workloadWith(init: MessageInitShape<typeof wire.WorkloadSchema>): wire.Resource {
  const modes = create(wire.MtlsModesSchema, { default: wire.MtlsMode.STRICT });
  const value = create(wire.WorkloadSchema, {
    uid: "u1",
    namespace: "shop",
    name: "web",
    serviceAccount: "web",
    addresses: ["10.0.0.1"],
    modes,
    ...init,
  });
  return create(wire.ResourceSchema, {
    name: "u1",
    version: "1",
    body: { case: "workload", value },
  });
}

test("decodeResource(): refuses an address that is none, and makes others canonical", () => {
  expect(decodeResource(workloadWith({ addresses: ["10.0.0.256"] }))).toEqual({
    kind: "refused",
    reasons: ["addresses: not an IP address"],
  });
  const decoded = decodeResource(workloadWith({ addresses: ["::ffff:10.0.0.1", "FD00::0:1"] }));
  expect(decoded).toMatchObject({
    value: { body: { value: { addresses: ["10.0.0.1", "fd00::1"] } } },
  });
});

test("decodeResource(): refuses an unknown mode, a missing mode and a port out of range", () => {
  const ports = [create(wire.PortModeSchema, { port: 70_000, mode: 9 as wire.MtlsMode })];
  const modes = create(wire.MtlsModesSchema, { ports });
  expect(decodeResource(workloadWith({ modes }))).toEqual({
    kind: "refused",
    reasons: [
      "modes.default: 0 is not known",
      "modes.ports.port: 70000 is not in 1..65535",
      "modes.ports.mode: 9 is not known",
    ],
  });
});

function spoiltPolicy(spoil: (policy: wire.Policy) => void): ReturnType<typeof decodeResource> {
  const message = overTheWire(policy);
  if (message.body.case === "policy") spoil(message.body.value);
  return decodeResource(message);
}

/** As an operator sends what this version does not know. */
const UNREADABLE: readonly (readonly [string, (policy: wire.Policy) => void])[] = [
  ["action: 77 is not known", (p) => Object.assign(p, { action: 77 })],
  ["action: 0 is not known", (p) => Object.assign(p, { action: 0 })],
  [
    "match: of no known kind",
    (p) =>
      p.rules[0]?.from.push(
        create(wire.SourceSchema, { principals: [create(wire.StringMatchSchema)] }),
      ),
  ],
  [
    "ipBlock: not an address block",
    (p) =>
      p.rules[0]?.from.push(
        create(wire.SourceSchema, {
          ipBlocks: [{ address: Uint8Array.of(10, 0, 0), prefixLength: 8 }],
        }),
      ),
  ],
  [
    'when.key: "request.method" is not known',
    (p) => p.rules[0]?.when.push(create(wire.ConditionSchema, { key: "request.method" })),
  ],
  [
    "when: values that do not fit the key destination.port",
    (p) =>
      p.rules[0]?.when.push(
        create(wire.ConditionSchema, {
          key: "destination.port",
          strings: [{ kind: { case: "exact", value: "a" } }],
        }),
      ),
  ],
  ["port: 65536 is not in 0..65535", (p) => p.rules[0]?.to[0]?.ports.push(65_536)],
  ["provider: longer than 4096", (p) => Object.assign(p, { provider: "x".repeat(4097) })],
  [
    "a field of a newer version",
    (p) =>
      Object.assign(p.rules[0]?.to[0] ?? {}, {
        $unknown: [{ no: 99, wireType: 2, data: Uint8Array.of(3, 71, 69, 84) }],
      }),
  ],
];

test.each(UNREADABLE)(
  "decodeResource(): a policy that it cannot read is invalid: %s",
  (reason, spoil) => {
    const decoded = spoiltPolicy(spoil);
    expect(decoded).toMatchObject({
      kind: "decoded",
      value: { name: "shop/web", body: { value: { ref: "shop/web", invalid: true, rules: [] } } },
      unread: [reason],
    });
    // An action that is not known denies, the others stay what they are.
    const action = reason.startsWith("action") ? "DENY" : "ALLOW";
    expect(decoded).toMatchObject({ value: { body: { value: { action } } } });
  },
);

test("decodeResource(): whoever can read more is told a policy again that was not read in full", () => {
  const spoil = UNREADABLE[0]?.[1];
  const decoded = spoiltPolicy((p) => spoil?.(p));
  if (decoded.kind !== "decoded") throw new Error("refused");
  expect(decoded.value.version).not.toBe(policy.version);
  // As a snapshot keeps it: invalid still, and still not the version that was sent.
  expect(decodeResource(overTheWire(decoded.value))).toEqual({
    kind: "decoded",
    value: decoded.value,
  });
});

test("decodeChanges(): a policy that cannot be read holds up nothing else of its batch", () => {
  const newer = overTheWire(policy);
  if (newer.body.case === "policy") {
    newer.body.value.rules[0]?.when.push(create(wire.ConditionSchema, { key: "source.moon" }));
  }
  const deny = structuredClone(policy);
  Object.assign(deny, { name: "shop/deny" });
  Object.assign(deny.body.value, { ref: "shop/deny", action: "DENY" });
  const part = create(wire.ConfigureResponseSchema, { resources: [newer, encodeResource(deny)] });
  expect(decodeChanges([part])).toEqual({
    kind: "decoded",
    value: { upserts: [expect.objectContaining({ name: "shop/web" }), deny], removals: [] },
    unread: [{ kind: "policy", name: "shop/web", reason: 'when.key: "source.moon" is not known' }],
  });
});

test("decodeChanges(): joins the parts, and one refused resource refuses them all by name", () => {
  const good = create(wire.ConfigureResponseSchema, { resources: [encodeResource(policy)] });
  const removed = create(wire.ConfigureResponseSchema, {
    removed: [{ kind: wire.ResourceKind.SERVICE, name: "shop/web" }],
  });
  expect(decodeChanges([good, removed])).toEqual({
    kind: "decoded",
    value: { upserts: [policy], removals: [{ kind: "service", name: "shop/web" }] },
    unread: [],
  });
  const bad = create(wire.ConfigureResponseSchema, {
    resources: [workloadWith({ uid: "other" })],
    removed: [{ kind: 99 as wire.ResourceKind, name: "x" }],
  });
  expect(decodeChanges([good, bad])).toEqual({
    kind: "refused",
    errors: [
      { kind: "workload", name: "u1", reason: "name: not the name of its body" },
      { kind: undefined, name: "x", reason: "kind: 99 is not known" },
    ],
  });
});

test("decodeChanges(): refuses a batch that names one resource twice", () => {
  const part = create(wire.ConfigureResponseSchema, {
    resources: [encodeResource(policy)],
    removed: [{ kind: wire.ResourceKind.POLICY, name: "shop/web" }],
  });
  expect(decodeChanges([part])).toMatchObject({
    errors: [{ kind: "policy", name: "shop/web", reason: "twice in one batch" }],
  });
});

test("decodeReport(): refuses an unknown state and a time before 1970", () => {
  const report = create(wire.ReportSchema, {
    captures: [{ uid: "u1", state: 42 as wire.CaptureState }],
    leaves: [{ identity: "spiffe://a/ns/b/sa/c", issuer: "00", notAfterMs: -1n }],
  });
  expect(decodeReport("node-a", report)).toMatchObject({
    kind: "refused",
    reasons: ["captures.state: 42 is not known", expect.stringContaining("leaves.notAfterMs")],
  });
});
