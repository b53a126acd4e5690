/** Golden files: `testdata/*.in.yaml` → `*.out.yaml`. `UPDATE_GOLDEN=1` rewrites them, to be read in review. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parseAllDocuments, stringify } from "yaml";
import { parseAuthorizationPolicy } from "../resources/authorization-policy.ts";
import { compileAuthorization } from "./authorization.ts";

const FOLDER = join(import.meta.dirname, "testdata");
const inputs = readdirSync(FOLDER).filter((name) => name.endsWith(".in.yaml"));

function compiledText(name: string): string {
  return parseAllDocuments(readFileSync(join(FOLDER, name), "utf8"))
    .map((document) => parseAuthorizationPolicy(document.toJS(), { rootNamespace: "weft-system" }))
    .map((parsed) => {
      const compiled = compileAuthorization(parsed);
      const said =
        parsed.kind === "refused" ? { refused: parsed.reasons } : { warnings: parsed.warnings };
      return stringify({
        ...said,
        policy: compiled?.policy,
        scope: compiled?.scope,
        notes: compiled?.notes,
      });
    })
    .join("---\n");
}

test("compileAuthorization(): there are golden files", () => {
  expect(inputs.length).toBeGreaterThan(3);
});

for (const name of inputs) {
  test(`compileAuthorization(): ${name} compiles as written down`, () => {
    const path = join(FOLDER, name.replace(".in.", ".out."));
    const actual = compiledText(name);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, actual);
    expect(actual).toBe(readFileSync(path, "utf8"));
  });
}
