/**
 * Holds the import direction drawn in ARCHITECTURE.md.
 *
 * A row reads "files in this folder may import these folders, and nothing else of ours". A new
 * folder fails until it has a row; a permission nobody uses fails too, so the table never says
 * more than the code does.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { expect, test } from "@jest/globals";
import { MAY_IMPORT, PURE } from "./layers.ts";

const IMPORT =
  /^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm;
// Which file alone may make which proof: elsewhere a cast would forge the check it stands for.
const PROOFS: Readonly<Record<string, string>> = {
  "as Permit": "nodeproxy/authz/decide.ts",
  "as VerifiedPeer": "nodeproxy/identity/verify-peer.ts",
};

interface Edge {
  readonly file: string;
  readonly from: string;
  /** A folder of ours, or the name of a package or `node:` module. */
  readonly to: string;
  readonly ours: boolean;
}

function sourceFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((name) => join(root, name))
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .filter((path) => !path.startsWith("core/wire/gen/"));
}

function edgesOf(file: string, text: string): Edge[] {
  const from = dirname(file);
  return [...text.matchAll(IMPORT)]
    .map((match) => match[1] ?? match[2] ?? match[3] ?? "")
    .map((target) => ({ target, ours: target.startsWith(".") }))
    .map(({ target, ours }) => ({
      file,
      from,
      ours,
      to: ours ? dirname(join(from, target)) : target,
    }))
    .filter((edge) => edge.to !== from);
}

function isAllowed({ from, to, ours }: Edge): boolean {
  return ours ? (MAY_IMPORT[from] ?? []).includes(to) : !PURE.has(from);
}

const files = ["core", "operator", "nodeproxy", "cli"].flatMap(sourceFiles);
const edges = files.flatMap((file) => edgesOf(file, readFileSync(file, "utf8")));

test("layers: every folder has a row in the table", () => {
  const missing = new Set(
    files.map((file) => dirname(file)).filter((folder) => !(folder in MAY_IMPORT)),
  );
  expect([...missing]).toEqual([]);
});

test("layers: every import follows the table", () => {
  const wrong = edges.filter((edge) => !isAllowed(edge));
  expect(wrong.map(({ file, to }) => `${file} may not import ${to}`)).toEqual([]);
});

test("layers: every permission in the table is used", () => {
  const used = new Set(edges.map(({ from, to }) => `${from} -> ${to}`));
  const stale = Object.entries(MAY_IMPORT)
    .flatMap(([from, allowed]) => allowed.map((to) => `${from} -> ${to}`))
    .filter((permission) => !used.has(permission));
  expect(stale).toEqual([]);
});

test("layers: the check itself refuses a forbidden import and a package in a pure folder", () => {
  const text =
    'import { x } from "../../operator/ca/authority.ts";\nimport { y } from "node:fs";\n';
  const forged = edgesOf("nodeproxy/authz/forged.ts", text);
  expect(forged.map(isAllowed)).toEqual([false, false]);
});

test("layers: proofs are made only where the check is", () => {
  const forged = files.flatMap((file) =>
    Object.entries(PROOFS)
      .filter(([cast, home]) => file !== home && readFileSync(file, "utf8").includes(cast))
      .map(([cast]) => `${file} says "${cast}"`),
  );
  expect(forged).toEqual([]);
});
