/** Every route of docs/routes.md is accepted by the operator, and every request of its tables goes where it says. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { compileExpression } from "../core/regex/compile-expression.ts";
import { compileTable } from "../nodeproxy/http/match/compile-table.ts";
import type { RoutePlan } from "../nodeproxy/http/match/route-plan.ts";
import type { RequestHead } from "../nodeproxy/http/message.ts";
import { ClusterIndex } from "../operator/index/cluster-index.ts";
import { type KubeObject, parseKubeObject } from "../operator/resources/kube-object.ts";
import { kubeObject } from "./fakes/route-objects.ts";

const PAGE = readFileSync("docs/routes.md", "utf8");
const HEADING = /^\| request of (\w+)\/\w+ \| goes to \|$/;
const ROW = /^\| `(\S+) (\S+)`(?: with `(\S+): (\S+)`)? \| (.+) \|$/;

interface Row {
  readonly namespace: string;
  readonly head: RequestHead;
  readonly goesTo: string;
}

/** In the order of the page: a table is about the block before it. */
interface Part {
  readonly route: KubeObject;
  readonly rows: readonly Row[];
}

function headOf(method: string, path: string, fields: readonly string[]): RequestHead {
  const target = { path, query: "", authority: "api", scheme: "http" };
  return { method, ...target, fields, upgrade: "", version: "1.1" };
}

function rowsIn(text: string): readonly Row[] {
  let namespace = "";
  return text.split("\n").flatMap((line) => {
    namespace = HEADING.exec(line)?.[1] ?? namespace;
    const row = ROW.exec(line);
    if (!row) return [];
    const [, method = "", path = "", name, value, goesTo = ""] = row;
    const fields = name === undefined || value === undefined ? [] : [name, value];
    return [{ namespace, head: headOf(method, path, fields), goesTo }];
  });
}

function partsOf(page: string): readonly Part[] {
  const [, ...texts] = page.split("```yaml\n");
  return texts.map((text) => {
    const [yaml = "", rest = ""] = text.split("```");
    const [document] = parseAllDocuments(yaml);
    const parsed = parseKubeObject(document?.toJS());
    if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
    return { route: parsed.value, rows: rowsIn(rest) };
  });
}

const PARTS = partsOf(PAGE);

function service(name: string, port: number): KubeObject {
  return kubeObject("Service", `shop/${name}`, {
    spec: { clusterIP: "10.0.0.1", ports: [{ port }] },
  });
}

function indexOf(routes: readonly KubeObject[]): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  const apis = ["api", "api-v1", "api-v2"].map((name) => service(name, 80));
  const carts = ["carts", "carts-leader"].map((name) => service(name, 9000));
  for (const object of [...apis, ...carts, ...routes]) index.apply({ kind: "upsert", object });
  return index;
}

function planOf(index: ClusterIndex, parent: string, { namespace, head }: Row): RoutePlan {
  const body = index.resourcesFor("a").get(`routes ${parent}`)?.body;
  const tables = body?.kind === "routes" ? body.value.tables : [];
  const own = namespace === "shop" ? "" : namespace;
  const table = tables.find(({ consumer }) => consumer === own);
  if (!table) throw new Error(`no table of ${parent} for ${namespace}`);
  return compileTable(table, compileExpression).plan(head, () => 0.5);
}

function told(plan: RoutePlan, head: RequestHead): string {
  if (plan.kind === "answer") return String(plan.status);
  const name = plan.to.service.replace("shop/", "");
  return plan.head.path === head.path ? name : `${name} as \`${plan.head.path}\``;
}

test("docs/routes.md: every route is accepted, with all that it refers to", () => {
  const index = indexOf(PARTS.map(({ route }) => route));
  // Compiled for whoever asks.
  index.resourcesFor("a");
  const states = index.routes();
  expect(states).toHaveLength(PARTS.length);
  expect(states.flatMap(({ outcomes }) => outcomes)).toHaveLength(PARTS.length);
  for (const { outcomes } of states) {
    expect(outcomes).toMatchObject([{ reason: "Accepted", message: "", unresolved: [] }]);
  }
});

test("docs/routes.md: every request of its tables goes where it says", () => {
  const index = indexOf(PARTS.map(({ route }) => route));
  const all = PARTS.flatMap(({ route, rows }) => {
    const parent = route.metadata.name === "carts" ? "shop/carts" : "shop/api";
    return rows.map((row) => ({ row, plan: planOf(index, parent, row) }));
  });
  expect(all.map(({ row, plan }) => told(plan, row.head))).toEqual(
    all.map(({ row }) => row.goesTo),
  );
  expect(all).toHaveLength([...PAGE.matchAll(/^\| `(GET|POST) /gm)].length);
  expect(all.length).toBeGreaterThan(8);
});
