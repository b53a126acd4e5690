import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { type KubeObject, parseKubeObject } from "../resources/kube-object.ts";
import { ClusterIndex } from "./cluster-index.ts";

const PAGE = readFileSync("docs/plugins.md", "utf8");
const [, BLOCK = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(PAGE) ?? [];
const [CODE, MESH, POLICY] = parseAllDocuments(BLOCK).map((document) =>
  objectOf(document.toJS() as Manifest),
);

interface Manifest {
  readonly [field: string]: unknown;
  readonly metadata: object;
}

function objectOf(raw: Manifest): KubeObject {
  const parsed = parseKubeObject(raw);
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

function indexOf(...objects: readonly (KubeObject | undefined)[]): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  for (const object of objects) if (object) index.apply({ kind: "upsert", object });
  return index;
}

/** As nodes are told. */
function pluginsOf(index: ClusterIndex) {
  const body = index.resourcesFor("node1").get("settings mesh")?.body;
  return body?.kind === "settings" ? body.value.plugins : undefined;
}

function warningsOf(index: ClusterIndex, kind: string) {
  return index.policies().find((state) => state.kind === kind)?.warnings ?? [];
}

function changed(object: KubeObject | undefined, metadata: Partial<KubeObject["metadata"]>) {
  if (!object) throw new Error("docs/plugins.md has no such object");
  return { ...object, metadata: { ...object.metadata, ...metadata } };
}

test("ClusterIndex: nodes are told a plugin of MeshConfig with the code of its ConfigMap, in whichever order they come", () => {
  for (const index of [indexOf(CODE, MESH, POLICY), indexOf(POLICY, MESH, CODE)]) {
    expect(pluginsOf(index)).toEqual([
      {
        name: "tenant-router",
        source: expect.stringContaining("export function create("),
        timeoutMs: 2_000,
        failOpen: false,
      },
    ]);
    expect(warningsOf(index, "MeshConfig")).toEqual([]);
    const traffic = index.resourcesFor("node1").get("traffic shop/api-tenants")?.body;
    expect(traffic?.kind === "traffic" && traffic.value.settings.http.plugins).toEqual([
      {
        name: "tenant-router",
        config: '{"header":"x-tenant","pools":{"acme":"large","umbrella":"small"}}',
      },
    ]);
  }
});

test("ClusterIndex: a plugin whose ConfigMap goes is told to nodes no more, and MeshConfig's status says why", () => {
  const index = indexOf(CODE, MESH);
  if (CODE) index.apply({ kind: "delete", object: CODE });
  expect(pluginsOf(index)).toBeUndefined();
  expect(warningsOf(index, "MeshConfig")).toEqual([
    {
      field: "spec.plugins[0].configMap",
      message: 'there is no ConfigMap tenant-router labelled weft.dev/plugin: "true"',
    },
  ]);
});

test.each([
  ["of another namespace", { namespace: "shop" }],
  ["without the label", { labels: {} }],
])("ClusterIndex: code in a ConfigMap %s is not taken", (_which, metadata) => {
  const index = indexOf(changed(CODE, metadata), MESH);
  expect(pluginsOf(index)).toBeUndefined();
  expect(warningsOf(index, "MeshConfig")).toHaveLength(1);
});

test.each([
  ["has no such key", { other: "" }, "ConfigMap tenant-router has no tenant-router.ts"],
  [
    "is too long",
    { "tenant-router.ts": "é".repeat((128 << 10) + 1) },
    "tenant-router.ts of ConfigMap tenant-router is longer than 256 KiB",
  ],
])("ClusterIndex: code in a ConfigMap that %s is not taken", (_how, data, message) => {
  const index = indexOf({ ...changed(CODE, {}), data }, MESH);
  expect(pluginsOf(index)).toBeUndefined();
  expect(warningsOf(index, "MeshConfig")).toEqual([
    { field: "spec.plugins[0].configMap", message },
  ]);
});

test("ClusterIndex: a TrafficPolicy that names no plugin of MeshConfig's is warned of", () => {
  expect(warningsOf(indexOf(POLICY, CODE), "TrafficPolicy")).toContainEqual({
    field: "spec.http.plugins[0].name",
    message: "MeshConfig has no plugin tenant-router, so requests fail with plugin_missing",
  });
});
