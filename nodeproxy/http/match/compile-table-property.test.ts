/** Holds `compileTable` to a second matcher that asks every rule in turn and knows of no index. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type {
  NamedMatch,
  RouteMatch,
  RouteTable,
  TextMatch,
} from "../../../core/model/http-route.ts";
import type { RequestHead } from "../message.ts";
import { compileTable } from "./compile-table.ts";

function whole(source: string): (text: string) => boolean {
  const expression = new RegExp(`^(?:${source})$`);
  return (text) => expression.test(text);
}

function isText({ kind, value }: TextMatch, text: string | null): boolean {
  if (text === null) return false;
  return kind === "exact" ? text === value : whole(value)(text);
}

function isPath({ path }: RouteMatch, text: string): boolean {
  if (path.kind !== "prefix") return isText({ kind: path.kind, value: path.value }, text);
  const wanted = path.value.split("/");
  const elements = text.split("/");
  return wanted.every((element, i) => element === elements[i]);
}

function isFirst({ name }: NamedMatch, at: number, all: readonly NamedMatch[]): boolean {
  return all.findIndex((one) => one.name === name) === at;
}

function isMatching(match: RouteMatch, head: RequestHead): boolean {
  const headers = new Map<string, string>();
  for (let i = 0; i < head.fields.length; i += 2) {
    const [name = "", value = ""] = head.fields.slice(i, i + 2);
    headers.set(name, headers.has(name) ? `${headers.get(name)},${value}` : value);
  }
  const query = new URLSearchParams(head.query);
  return (
    isPath(match, head.path) &&
    (match.method === "" || match.method === head.method) &&
    match.headers
      .filter(isFirst)
      .every(({ name, value }) => isText(value, headers.get(name) ?? null)) &&
    match.query.filter(isFirst).every(({ name, value }) => isText(value, query.get(name)))
  );
}

// So few words that rules and requests often meet.
const element = fc.constantFrom("a", "b", "ab", "");
const path = fc.array(element, { maxLength: 4 }).map((elements) => `/${elements.join("/")}`);
const word = fc.constantFrom("a", "b", "c d");
const text: fc.Arbitrary<TextMatch> = fc.oneof(
  word.map((value) => ({ kind: "exact" as const, value })),
  fc.constantFrom("a|b", ".*", "a.?").map((value) => ({ kind: "regex" as const, value })),
);
const named = fc.array(fc.record({ name: fc.constantFrom("x", "y"), value: text }), {
  maxLength: 2,
});
const match: fc.Arbitrary<RouteMatch> = fc.record({
  path: fc.oneof(
    path.map((value) => ({ kind: "exact" as const, value })),
    path.map((value) => ({ kind: "prefix" as const, value: value.replace(/\/+$/, "") })),
    fc.constantFrom("/a.*", "/[ab]", "/.*/b").map((value) => ({ kind: "regex" as const, value })),
  ),
  headers: named,
  query: named,
  method: fc.constantFrom("", "", "GET", "PUT"),
});
const pair = fc.tuple(fc.constantFrom("x", "y", "z"), fc.constantFrom("a", "b", "c d", "d"));
const head: fc.Arbitrary<RequestHead> = fc.record({
  method: fc.constantFrom("GET", "PUT"),
  scheme: fc.constant("http"),
  authority: fc.constant("echo"),
  path,
  query: fc
    .array(pair, { maxLength: 3 })
    .map((pairs) => (pairs.length === 0 ? "" : `?${new URLSearchParams(pairs).toString()}`)),
  fields: fc.array(pair, { maxLength: 3 }).map((pairs) => pairs.flat()),
  upgrade: fc.constant(""),
  version: fc.constant("1.1" as const),
});

function tableOf(matches: readonly RouteMatch[]): RouteTable {
  const rules = matches.map((one, index) => ({
    kind: "HTTPRoute" as const,
    route: "a/b",
    rule: String(index),
    match: one,
    filters: [],
    backends: [{ to: { service: "a/c", port: 80 }, weight: 1, filters: [] }],
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
    retry: undefined,
    session: undefined,
  }));
  return { port: 80, consumer: "", rules };
}

test("compileTable(): chooses the rule that the first match of all in their order is", () => {
  let found = 0;
  const matches = fc.array(match, { maxLength: 12 });
  const heads = fc.array(head, { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(matches, heads, (all, requests) => {
      const table = compileTable(tableOf(all), whole);
      for (const request of requests) {
        const expected = all.findIndex((one) => isMatching(one, request));
        const { rule } = table.plan(request, () => 0);
        expect(Number(rule?.rule ?? -1)).toBe(expected);
        found += expected > 0 ? 1 : 0;
      }
    }),
    { numRuns: 3_000 },
  );
  // Else the words above would be too many to meet.
  expect(found).toBeGreaterThan(1_000);
});
