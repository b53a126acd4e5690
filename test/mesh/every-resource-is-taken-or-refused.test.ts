/**
 * What the operator, the disk and the API server hand us, changed in some hundred thousand ways: decoded or refused with
 * reasons, never thrown at us; and what is taken from the wire is written the same again.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import fc from "fast-check";
import { parseDurationSeconds } from "../../cli/parse-duration.ts";
import { createLog } from "../../core/process/log.ts";
import { decodeChanges } from "../../core/wire/decode-changes.ts";
import { decodeReport } from "../../core/wire/decode-report.ts";
import { encodeReport } from "../../core/wire/encode-report.ts";
import { encodeResource } from "../../core/wire/encode-resource.ts";
import { ConfigureResponseSchema, ReportSchema } from "../../core/wire/gen/weft/v1/node_pb.ts";
import { openSnapshot, restoreLeaves, restoreResources } from "../../nodeproxy/control/snapshot.ts";
import { parseAdmissionReview } from "../../operator/admission/admission-review.ts";
import { quantityValue } from "../../operator/admission/quantity.ts";
import { parseAuthorizationPolicy } from "../../operator/resources/authorization-policy.ts";
import { parseMeshConfig } from "../../operator/resources/mesh-config.ts";
import { parsePeerAuthentication } from "../../operator/resources/peer-authentication.ts";
import { parseRequestAuthentication } from "../../operator/resources/request-authentication.ts";
import { parseTrafficPolicy } from "../../operator/resources/traffic-policy.ts";
import { parseTrustBundle } from "../../operator/resources/trust-bundle.ts";
import { parseManifest } from "../../operator/source/parse-manifest.ts";
import { anyNodeReport, anyResource } from "../fakes/any-resource.ts";
import { mutateBytes } from "../fakes/byte-mutation.ts";
import { createRandom, pick } from "../fakes/der-mutation.ts";
import { fuzzBytes, fuzzText, hold, throwsOnly } from "../fakes/fuzz.ts";
import { sized } from "../soak.ts";

jest.setTimeout(sized(600_000, 7_200_000));

function isError(error: unknown): boolean {
  return Error.isError(error);
}

const SAMPLES = { numRuns: 60, seed: 4_711 };
const RESOURCES = fc.sample(anyResource(), SAMPLES);
const CHANGES = RESOURCES.map((resource) =>
  Buffer.from(
    toBinary(
      ConfigureResponseSchema,
      create(ConfigureResponseSchema, { resources: [encodeResource(resource)] }),
    ),
  ),
);

fuzzBytes("decodeChanges()", { share: 0.2, seeds: CHANGES }, (bytes) => {
  let taken = false;
  // What is no protobuf throws, and whoever reads a stream or a file knows that.
  const parsed = throwsOnly(isError, () => {
    fromBinary(ConfigureResponseSchema, bytes);
  });
  if (parsed === "refused") return parsed;
  const decoded = decodeChanges([fromBinary(ConfigureResponseSchema, bytes)]);
  if (decoded.kind === "decoded") {
    taken = true;
    const resources = decoded.value.upserts.map(encodeResource);
    const again = decodeChanges([create(ConfigureResponseSchema, { resources })]);
    hold(again.kind === "decoded", "not twice", bytes);
  } else
    hold(
      decoded.errors.every(({ reason }) => reason !== ""),
      "no reason",
      bytes,
    );
  return taken ? "taken" : "refused";
});

const REPORTS = fc
  .sample(anyNodeReport(), SAMPLES)
  .map((report) => Buffer.from(toBinary(ReportSchema, encodeReport(report))));

fuzzBytes("decodeReport()", { share: 0.1, seeds: REPORTS }, (bytes) => {
  const parsed = throwsOnly(isError, () => {
    fromBinary(ReportSchema, bytes);
  });
  if (parsed === "refused") return parsed;
  const decoded = decodeReport("node-a", fromBinary(ReportSchema, bytes));
  if (decoded.kind === "decoded") return "taken";
  hold(decoded.reasons.length > 0, "no reason", bytes);
  return "refused";
});

const POLICY = {
  apiVersion: "weft.dev/v1",
  kind: "AuthorizationPolicy",
  metadata: { name: "p", namespace: "shop", uid: "u", resourceVersion: "1" },
  spec: {
    selector: { matchLabels: { app: "web" } },
    action: "DENY",
    rules: [
      {
        from: [{ source: { principals: ["cluster.local/ns/a/sa/b*"], ipBlocks: ["10.0.0.0/8"] } }],
        to: [{ operation: { ports: ["80"], notPorts: ["81"] } }],
        when: [{ key: "source.namespace", values: ["shop"] }],
      },
    ],
  },
};
const OTHERS = [
  {
    kind: "PeerAuthentication",
    spec: { mtls: { mode: "STRICT" }, portLevelMtls: { "80": { mode: "DISABLE" } } },
  },
  {
    kind: "MeshConfig",
    spec: {
      trustDomain: "cluster.local",
      jwks: { allowLocalAddresses: true },
      extensionProviders: [
        { name: "opa", envoyExtAuthzGrpc: { service: "opa.shop.svc.cluster.local", port: 9191 } },
      ],
    },
  },
  {
    kind: "RequestAuthentication",
    spec: {
      jwtRules: [
        {
          issuer: "https://a.example",
          jwks: '{"keys":[{"kty":"RSA"}]}',
          fromHeaders: [{ name: "x-a", prefix: "b" }],
          outputClaimToHeaders: [{ header: "x-b", claim: "a.b" }],
        },
      ],
    },
  },
  {
    kind: "TrafficPolicy",
    spec: {
      targetRefs: [{ kind: "Service", name: "api" }],
      loadBalancer: { algorithm: "ringHash" },
    },
  },
  { kind: "TrustBundle", spec: { trustDomain: "other.example", roots: ["x"] } },
].map((part) => ({ ...POLICY, ...part }));
const OBJECTS = [POLICY, ...OTHERS].map((object) => JSON.stringify(object));

const OBJECT_PARSERS: readonly ((object: unknown) => unknown)[] = [
  (object) => parseAuthorizationPolicy(object, { rootNamespace: "weft-system" }),
  parsePeerAuthentication,
  parseMeshConfig,
  parseRequestAuthentication,
  parseTrafficPolicy,
  parseTrustBundle,
];

fuzzText("parsers of custom objects", { share: 0.1, seeds: OBJECTS }, (text) => {
  let object: unknown;
  try {
    object = JSON.parse(text);
  } catch {
    return "refused";
  }
  // Each gets all kinds: a schema that is not applied yet must not be trusted.
  for (const parse of OBJECT_PARSERS) parse(object);
  return "taken";
});

const MANIFESTS = [
  ...OBJECTS,
  "apiVersion: weft.dev/v1\nkind: MeshConfig\nmetadata:\n  name: default\nspec:\n  trustDomain: a.b\n---\n",
  "a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b, *b]\n",
];

fuzzText("parseManifest()", { share: 0.01, seeds: MANIFESTS }, (text) => {
  const parsed = parseManifest(text);
  if (parsed.kind === "objects") return "taken";
  hold(parsed.reason !== "", "no reason", text);
  return "refused";
});

const REVIEWS = [
  JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    request: { uid: "u", operation: "CREATE", namespace: "shop", object: { kind: "Pod" } },
  }),
];

fuzzText("parseAdmissionReview()", { share: 0.05, seeds: REVIEWS }, (text) =>
  parseAdmissionReview(text) ? "taken" : "refused",
);

fuzzText(
  "parseDurationSeconds()",
  { share: 0.03, seeds: ["90", "1h30m", "10m5s", "1.5"] },
  (text) => {
    const seconds = parseDurationSeconds(text);
    hold(seconds === undefined || (Number.isFinite(seconds) && seconds >= 0), "a time", text);
    return seconds === undefined ? "refused" : "taken";
  },
);

fuzzText("quantityValue()", { share: 0.03, seeds: ["100m", "1.5", "64Mi", "1e3"] }, (text) =>
  quantityValue(text) > 0 ? "taken" : "refused",
);

const RUNS = sized(400, 20_000);
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "weft-fuzz-"));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

test("restoreResources(), restoreLeaves(): of changed files all is restored, or a whole beginning, or nothing", async () => {
  const log = createLog({ name: "test", level: "fatal" });
  const leaf = { identity: "spiffe://a/ns/b/sa/c", chainPem: "c", keyPem: "k", notAfterMs: 1 };
  const resources = RESOURCES.slice(0, 3);
  const snapshot = await openSnapshot({
    directory,
    resources: () => resources,
    leaves: () => [leaf],
    log,
  });
  snapshot.resourcesChanged();
  snapshot.leavesChanged();
  await snapshot.close();
  const later = await openSnapshot({
    directory,
    resources: () => resources,
    leaves: () => [leaf],
    log,
  });
  for (const upsert of RESOURCES.slice(3, 6)) later.record({ upserts: [upsert], removals: [] });
  await later.close();
  const known = RESOURCES.slice(0, 6).map(({ name }) => name);
  const names = ["snapshot", "leaves", "journal.1"];
  const files = names.map((name) => readFileSync(join(directory, name)));
  const random = createRandom(4_711);
  const kinds: string[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const name = pick(random, names);
    const whole = files[names.indexOf(name)] ?? Buffer.alloc(0);
    writeFileSync(join(directory, name), mutateBytes(random, whole, files));
    const restored = await restoreResources(directory);
    const leaves = await restoreLeaves(directory);
    kinds.push(restored.kind);
    const found = restored.kind === "restored" ? restored.value.map((one) => one.name) : [];
    expect(known).toEqual(expect.arrayContaining(found));
    const foundLeaves = leaves.kind === "restored" ? leaves.value : undefined;
    expect([[leaf], undefined]).toContainEqual(foundLeaves);
    writeFileSync(join(directory, name), whole);
  }
  expect(new Set(kinds)).toEqual(new Set(["restored", "unusable"]));
});
