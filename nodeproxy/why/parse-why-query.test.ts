import { expect, test } from "@jest/globals";
import { parseWhyQuery } from "./parse-why-query.ts";

const QUERY = { from: "a/b", to: "c/d", plaintext: false, asHttp: true };

test.each([
  QUERY,
  { ...QUERY, sni: "api.shop" },
  { ...QUERY, request: { headers: [] } },
  { ...QUERY, request: { method: "GET", path: "/", host: "h", headers: [["a", "b"]], claims: {} } },
])("parseWhyQuery(): takes %j", (query) => {
  expect(parseWhyQuery(JSON.stringify(query))).toEqual({ kind: "query", query });
});

test("parseWhyQuery(): what is not said is false", () => {
  const query = { from: "a", to: "b", plaintext: false, asHttp: false };
  expect(parseWhyQuery('{"from":"a","to":"b"}')).toEqual({ kind: "query", query });
});

test.each([
  "",
  "{",
  "[]",
  "null",
  "{}",
  '{"from":"a"}',
  JSON.stringify({ ...QUERY, plaintext: 1 }),
  JSON.stringify({ ...QUERY, sni: 1 }),
  JSON.stringify({ ...QUERY, request: [] }),
  JSON.stringify({ ...QUERY, request: { method: 1 } }),
  JSON.stringify({ ...QUERY, request: { headers: [["a"]] } }),
  JSON.stringify({ ...QUERY, request: { claims: [] } }),
])("parseWhyQuery(): refuses %s", (text) => {
  expect(parseWhyQuery(text).kind).toBe("malformed");
});
