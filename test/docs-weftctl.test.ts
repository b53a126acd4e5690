/** Holds docs/weftctl.md to the commands: every one stands there, with each flag and outcome of `ca rotate`. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { COMMANDS, helpFor } from "../cli/help.ts";

const docs = readFileSync("docs/weftctl.md", "utf8");

test("docs/weftctl.md: lists exactly the commands", () => {
  const listed = [
    ...docs.matchAll(/^\| `(status|why|authz list|explain|check|uninstall|ca \w+)` \|/gm),
  ];
  const names = listed.map(([, name]) => name);
  expect(names).toHaveLength(Object.keys(COMMANDS).length);
  expect(new Set(names)).toEqual(new Set(Object.keys(COMMANDS)));
});

test("docs/weftctl.md: tells every flag that the help of ca rotate has of its own", () => {
  const own = helpFor(["ca", "rotate"]).match(/--(?:dry-run|waive|abort|timeout)\b/g) ?? [];
  expect(new Set(own).size).toBe(4);
  for (const flag of own) expect(docs).toContain(`\`${flag}`);
});

test("docs/weftctl.md: tells every outcome of ca rotate and every state of ca status", () => {
  const source = [
    "cli/begin-rotation.ts",
    "cli/mesh/ca-view.ts",
    "cli/mesh/leaf-view.ts",
    "cli/mesh/server-view.ts",
  ].map((path) => readFileSync(path, "utf8"));
  const unions = source.flatMap((text) => [
    ...text.matchAll(/export type (?:RotationOutcome|\w+State) =([^]+?);\n\n/g),
  ]);
  const words = unions.flatMap(([, union = ""]) => union.match(/"\w+"/g) ?? []);
  expect(words.length).toBeGreaterThan(20);
  for (const word of words) expect(docs).toContain(`\`${word.replaceAll('"', "")}\``);
});
