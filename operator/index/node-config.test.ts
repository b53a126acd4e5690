/**
 * Golden files: `compile/testdata/node-config/*.in.yaml`, the objects of a cluster, → `*.out.yaml`, what
 * its node `node-a` holds. `UPDATE_GOLDEN=1` rewrites them, to be read in review.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { stringify } from "yaml";
import { parseManifest } from "../source/parse-manifest.ts";
import { ClusterIndex } from "./cluster-index.ts";

const FOLDER = join(import.meta.dirname, "../compile/testdata/node-config");
const inputs = readdirSync(FOLDER).filter((name) => name.endsWith(".in.yaml"));

function configText(name: string): string {
  const manifest = parseManifest(readFileSync(join(FOLDER, name), "utf8"));
  if (manifest.kind === "malformed") throw new Error(manifest.reason);
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  for (const object of manifest.objects) index.apply({ kind: "upsert", object });
  const resources = [...index.resourcesFor("node-a")].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const held = Object.fromEntries(resources.map(([key, { body }]) => [key, body.value]));
  return stringify(held, { aliasDuplicateObjects: false });
}

test("ClusterIndex: there are golden files", () => {
  expect(inputs.length).toBeGreaterThan(0);
});

for (const name of inputs) {
  test(`ClusterIndex: node-a holds of ${name} what is written down`, () => {
    const path = join(FOLDER, name.replace(".in.", ".out."));
    const actual = configText(name);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, actual);
    expect(actual).toBe(readFileSync(path, "utf8"));
  });
}
