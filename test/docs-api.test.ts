/** Holds docs/api.md to the parsers: every YAML block in it and in the pages beside it is valid, and every field that it names exists. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parse, parseAllDocuments } from "yaml";
import { parseAuthorizationPolicy } from "../operator/resources/authorization-policy.ts";
import { parseCaRotation } from "../operator/resources/ca-rotation.ts";
import { parseMeshConfig, ROOT_NAMESPACE } from "../operator/resources/mesh-config.ts";
import { parsePeerAuthentication } from "../operator/resources/peer-authentication.ts";
import { parseRequestAuthentication } from "../operator/resources/request-authentication.ts";
import { parseTrafficPolicy } from "../operator/resources/traffic-policy.ts";
import { parseTrustBundle } from "../operator/resources/trust-bundle.ts";

const docs = readFileSync("docs/api.md", "utf8");
const pages = ["balancing", "external-authorization", "rate-limits", "resilience"].reduce(
  (text, page) => text + readFileSync(`docs/${page}.md`, "utf8"),
  docs,
);
const blocks = [...pages.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
const objects = blocks.flatMap((block) =>
  parseAllDocuments(block).map((document) => document.toJS() as Record<string, unknown>),
);

interface Crd {
  readonly kind: string;
  readonly spec: { readonly names: { readonly kind: string } };
}

function parsed(object: Record<string, unknown>) {
  switch (object["kind"]) {
    case "AuthorizationPolicy":
      return parseAuthorizationPolicy(object, { rootNamespace: ROOT_NAMESPACE });
    case "PeerAuthentication":
      return parsePeerAuthentication(object);
    case "RequestAuthentication":
      return parseRequestAuthentication(object);
    case "CARotation":
      return parseCaRotation(object);
    case "MeshConfig":
      return parseMeshConfig(object);
    case "TrustBundle":
      return parseTrustBundle(object);
    case "TrafficPolicy":
      return parseTrafficPolicy(object);
    default:
      throw new TypeError(`docs/api.md shows an unknown kind ${String(object["kind"])}`);
  }
}

for (const [i, object] of objects.entries()) {
  test(`docs/api.md: object ${i + 1} (${String(object["kind"])}) is valid`, () => {
    expect(parsed(object)).toMatchObject({ kind: "accepted" });
  });
}

test("docs/api.md: tells every label, annotation and condition that the sources know", () => {
  const sources = ["operator", "nodeproxy", "cli"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .map((name) => readFileSync(`${folder}/${name}`, "utf8")),
  );
  const keys = new Set(
    sources.flatMap((text) => text.match(/(?<=")weft\.dev\/[A-Za-z-]+(?=")/g) ?? []),
  );
  expect(keys.size).toBeGreaterThan(4);
  for (const key of keys) expect(docs).toMatch(new RegExp(`^\\| [a-z]+ \`${key}`, "m"));
});

test("docs/api.md: shows each kind that users write, and has a section for every CRD", () => {
  const shown = new Set(objects.map((object) => object["kind"]));
  const kinds = [
    "AuthorizationPolicy",
    "CARotation",
    "MeshConfig",
    "PeerAuthentication",
    "RequestAuthentication",
    "TrafficPolicy",
    "TrustBundle",
  ];
  expect(shown).toEqual(new Set(kinds));
  const crds = readdirSync("crds")
    .map((file) => parse(readFileSync(`crds/${file}`, "utf8")) as Crd)
    .filter(({ kind }) => kind === "CustomResourceDefinition");
  expect(crds.length).toBeGreaterThan(3);
  for (const { spec } of crds) expect(docs).toContain(`\n## ${spec.names.kind}\n`);
});
