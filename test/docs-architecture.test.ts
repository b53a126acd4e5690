/** Holds ARCHITECTURE.md to the sources: steps of the walks exist, the layer table is that of the test, links lead somewhere. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { expect, test } from "@jest/globals";
import { MAY_IMPORT, PURE } from "./layers.ts";

const PAGE = "ARCHITECTURE.md";
const LAYERS = /(<!-- layers -->\n)([\s\S]*?)(\n<!-- \/layers -->)/;
const page = readFileSync(PAGE, "utf8");

/** Folders of one plane together: `core: model, x509; operator: ca`. */
function joinFolders(folders: readonly string[]): string {
  const planes = Map.groupBy(folders, (folder) => folder.split("/")[0] ?? "");
  return [...planes]
    .map(([plane, members]) => {
      const names = members.map((folder) => folder.slice(plane.length + 1));
      return `${plane}: ${names.join(", ")}`;
    })
    .join("; ");
}

function layerTable(): string {
  const rows = Object.entries(MAY_IMPORT).map(([folder, allowed]) => {
    const purity = PURE.has(folder) ? ", *pure*" : "";
    return `| \`${folder}\`${purity} | ${joinFolders(allowed) || "nothing"} |`;
  });
  return ["", "| folder | may import |", "| --- | --- |", ...rows, ""].join("\n");
}

test("ARCHITECTURE.md: the layer table is that of test/layers.ts", () => {
  if (process.env["UPDATE_GOLDEN"] === "1") {
    writeFileSync(PAGE, page.replace(LAYERS, `$1${layerTable()}$3`));
  }
  expect(LAYERS.exec(readFileSync(PAGE, "utf8"))?.[2]).toBe(layerTable());
});

test("ARCHITECTURE.md: every file of the walks exists, with the function that is named", () => {
  const walks = page.slice(page.indexOf("## Three walks"), page.indexOf("## Layers"));
  const steps = [...walks.matchAll(/`([\w/-]+\.ts)`(?: `(\w+)\(\)`)?/g)];
  expect(steps.length).toBeGreaterThan(25);
  const wrong = steps
    .map(([, file = "", name = ""]) => ({ file, name }))
    .filter(({ file, name }) => {
      if (!existsSync(file)) return true;
      return name !== "" && !new RegExp(`\\b${name}\\(`).test(readFileSync(file, "utf8"));
    });
  expect(wrong).toEqual([]);
});

test("docs: every link to a file leads to one", () => {
  const pages = readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name));
  const broken = ["README.md", PAGE, "CONTRIBUTING.md", ...pages].flatMap((file) => {
    const links = readFileSync(file, "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)/g);
    return [...links]
      .map(([, link = ""]) => join(dirname(file), link))
      .filter((target) => !existsSync(target))
      .map((target) => `${file}: ${target}`);
  });
  expect(broken).toEqual([]);
});
