/**
 * Policies that Istio publishes, with their `apiVersion` changed: the verdicts that Istio tells, but for what the guide's
 * table of differences names.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import {
  type CalledPod,
  type Manifest,
  outcomeOfCall,
  type PodRequest,
  parseWritten,
} from "./called-pod.ts";
import { TokenForger } from "./fakes/token-forger.ts";
import { TOKENS, VERDICTS } from "./istio-policies/verdicts.ts";

const FOLDER = "test/istio-policies";
const docs = readFileSync("docs/policy.md", "utf8");
const [, table = ""] = docs.split("\n## For those who know Istio\n");
const DIFFERENCES = [...table.matchAll(/^\| ([^|]+) \|/gm)]
  .map(([, name = ""]) => name.trim())
  .filter((name) => name !== "" && name !== "---");
const ROW = /^(\S+) -> ([^/]+)\/([^:]+):(\d+)(?: (\S+) (\S+)(.*?))?: (permit|refuse)(?: !(.*))?$/;
const ADDRESSES: Readonly<Record<string, string>> = {
  "echo1/a": "10.1.0.1",
  "echo2/a": "10.1.0.2",
};
const PORTS: readonly (readonly [number, string | undefined])[] = [
  [8080, "http"],
  [18080, "http"],
  [18085, "kubernetes.io/h2c"],
  [17070, "grpc"],
  [19090, undefined],
];

const nowS = Math.floor(Date.now() / 1_000);
const issuer = new TokenForger("", nowS);
const jwks = JSON.stringify({ keys: [issuer.jwk] });
const ISSUERS = [...new Set(Object.values(TOKENS).map(({ iss }) => String(iss)))];

const written: Readonly<Record<string, readonly Manifest[]>> = Object.fromEntries(
  readdirSync(FOLDER)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => [name.replace(".yaml", ""), manifestsIn(`${FOLDER}/${name}`)]),
);

/** The example speaks of a valid token, so of a RequestAuthentication that it does not show. */
const ASSUMED: Readonly<Record<string, readonly Manifest[]>> = {
  "reference-allow-with-token": [
    {
      apiVersion: "weft.dev/v1",
      kind: "RequestAuthentication",
      metadata: { name: "google", namespace: "foo" },
      spec: { jwtRules: [{ issuer: "https://accounts.google.com" }] },
    },
  ],
};

/** What these say is refused here, by these rows of the table; the verdicts are of the rest. */
const REFUSED: Readonly<Record<string, string>> = {
  "tested-jwt": "`spaceDelimitedClaims`",
  "reference-token-by-host": "keys of an issuer",
};
/** Rows of the table that no verdict of these policies can show, and who shows them. */
const ELSEWHERE = [
  // Not of one verdict: log, status, life of connections, headers of answers; test/netns and docs/policy.md's other sections.
  "what enforces",
  "open connections after a change",
  "headers that CUSTOM adds",
  "`CUSTOM`",
  // Of no published policy; test/policy-cases, test/policy-damaged.test.ts, the parsers' tests.
  "attributes of HTTP where there is no HTTP",
  "`targetRefs`",
  "`ports`, `destination.port`",
  "`remoteIpBlocks`, `remote.ip`",
  "a policy that cannot be evaluated",
  "unknown fields, `*` in the middle, empty strings",
  "PeerAuthentication that cannot be read",
];

function manifestsIn(path: string): readonly Manifest[] {
  return parseAllDocuments(readFileSync(path, "utf8"))
    .map((document) => document.toJS() as Manifest | null)
    .filter((object) => object !== null)
    .map((object) => ({
      ...object,
      apiVersion: object.apiVersion.replace("security.istio.io/v1", "weft.dev/v1"),
      metadata: { ...object.metadata, namespace: namespaceOf(path, object) },
    }));
}

/** Of those that Istio applies into one when it runs. */
function namespaceOf(path: string, { metadata }: Manifest): string {
  if (metadata.namespace) return metadata.namespace;
  if (/deny-global|workload-system-ns/.test(path)) return "istio-system";
  return path.includes("reference-") ? "default" : "echo1";
}

function withoutRefused(object: Manifest): Manifest {
  const text = JSON.stringify(object, (key, value: unknown) =>
    key === "spaceDelimitedClaims" ? undefined : value,
  );
  return JSON.parse(text) as Manifest;
}

function serviceOf(namespace: string, name: string): Manifest {
  const ports = PORTS.map(([port, protocol]) => ({
    port,
    ...appProtocolOf(name, protocol),
  }));
  const metadata = { name, namespace };
  return { apiVersion: "v1", kind: "Service", metadata, spec: { selector: { app: name }, ports } };
}

function appProtocolOf(name: string, protocol: string | undefined) {
  if (name === "undeclared" || protocol === undefined) return undefined;
  return { appProtocol: name === "opaque" ? "tcp" : protocol };
}

function requestOf(method: string, target: string, rest: string): PodRequest {
  const [, header = "", value = ""] = /^ ([a-z-]+): (\S+)/.exec(rest) ?? [];
  const [, token] = / by (\S+)$/.exec(rest) ?? [];
  return {
    method,
    target,
    ...(header === "host" ? { host: value } : {}),
    headers: {
      ...(header === "" || header === "host" ? {} : { [header]: value }),
      ...(token === undefined ? {} : { authorization: `Bearer ${tokenOf(token)}` }),
      ...(rest.includes("preflight")
        ? { origin: "https://istio.io", "access-control-request-method": "POST" }
        : {}),
    },
  };
}

function tokenOf(name: string): string {
  const claims = { exp: nowS + 3_600, ...TOKENS[name] };
  return issuer.sign({ alg: "RS256", kid: "rsa" }, claims);
}

function callOf(row: string) {
  const [, caller = "", namespace = "", app = "", port = "", ...others] = ROW.exec(row) ?? [];
  const [method, target = "", rest = "", verdict = "", difference] = others;
  const [from, account] = caller.split("/");
  const pod: CalledPod = {
    namespace,
    labels: { app, version: "v1" },
    ip: "10.1.0.9",
    rootNamespace: "weft-system",
    jwks: Object.fromEntries(ISSUERS.map((name) => [name, jwks])),
  };
  const call = {
    peer: caller === "plaintext" ? undefined : `cluster.local/ns/${from}/sa/${account}`,
    ip: ADDRESSES[caller] ?? "10.1.0.7",
    port: Number(port),
    ...(method === undefined ? {} : { request: requestOf(method, target, rest) }),
  };
  return { pod, call, service: serviceOf(namespace, app), verdict, difference };
}

test("Istio's policies: each file has verdicts, or is refused for a difference that the guide names", () => {
  const judged = new Set([...Object.keys(VERDICTS), ...Object.keys(REFUSED)]);
  expect([...judged].toSorted()).toEqual(Object.keys(written).toSorted());
});

test("Istio's policies: what differs is what the guide's table says, row by row", () => {
  const rows = Object.values(VERDICTS).flat();
  const shown = rows.flatMap((row) => callOf(row).difference ?? []);
  const all = [...shown, ...Object.values(REFUSED), ...ELSEWHERE];
  expect([...new Set(all)].toSorted()).toEqual(DIFFERENCES.toSorted());
});

for (const [name, objects] of Object.entries(written)) {
  const isRefused = Object.hasOwn(REFUSED, name);
  test(`Istio's policies: ${name} is ${isRefused ? "refused" : "accepted"} with the other apiVersion`, () => {
    const refused = objects.map(parseWritten).filter(({ kind }) => kind === "refused");
    expect(refused).toHaveLength(isRefused ? 1 : 0);
  });
}

for (const [name, rows] of Object.entries(VERDICTS)) {
  for (const row of rows) {
    test(`Istio's policies: ${name}: ${row}`, async () => {
      const { pod, call, service, verdict, difference } = callOf(row);
      const assumed = ASSUMED[name] ?? [];
      const objects = [service, ...assumed, ...(written[name] ?? []).map(withoutRefused)];
      const { code } = await outcomeOfCall(objects, pod, call);
      const isPermitted = (verdict === "permit") === (difference === undefined);
      expect(code === "permit").toBe(isPermitted);
    });
  }
}
