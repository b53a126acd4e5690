import { expect, test } from "@jest/globals";
import { linesOf, parseHttp2Head } from "./http2-head.ts";

const PSEUDO = {
  ":method": "GET",
  ":scheme": "http",
  ":authority": "shop.example:80",
  ":path": "/cart?item=1",
};

type Pseudo = Readonly<Record<string, string | undefined>>;

/** `undefined` takes a pseudo field away. */
function lines(pseudo: Pseudo, ...fields: string[]) {
  const all = Object.entries<string | undefined>({ ...PSEUDO, ...pseudo });
  return [...all.flatMap(([name, value]) => (value === undefined ? [] : [name, value])), ...fields];
}

test("parseHttp2Head(): what a request says, and the same goes on", () => {
  const sent = lines({}, "accept", "a", "x-two", "1", "x-two", "2", "te", "trailers");
  const parsed = parseHttp2Head(sent, 100);
  expect(parsed).toEqual({
    kind: "head",
    head: {
      method: "GET",
      scheme: "http",
      authority: "shop.example:80",
      path: "/cart",
      query: "?item=1",
      fields: ["accept", "a", "x-two", "1", "x-two", "2", "te", "trailers"],
      upgrade: "",
      version: "2",
    },
  });
  expect(parsed.kind === "head" && linesOf(parsed.head)).toEqual(sent);
});

test("parseHttp2Head(): crumbs of a cookie are one again, where the first was", () => {
  const crumbs = ["cookie", "a=1", "x", "cookie", "cookie", "b=2", "cookie", "c=3"];
  const parsed = parseHttp2Head(lines({}, ...crumbs), 100);
  expect(parsed.kind === "head" && parsed.head.fields).toEqual([
    "cookie",
    "a=1; b=2; c=3",
    "x",
    "cookie",
  ]);
});

test("parseHttp2Head(): without :authority the host is it; where both agree one goes on", () => {
  for (const authority of [undefined, "SHOP.example:80"]) {
    const parsed = parseHttp2Head(
      lines({ ":authority": authority }, "host", "shop.example:80"),
      100,
    );
    expect(parsed.kind === "head" && [parsed.head.authority, parsed.head.fields]).toEqual([
      authority ?? "shop.example:80",
      [],
    ]);
  }
});

test.each([
  ["an IPv6 authority", { ":authority": "[::1]:80" }],
  ["an asterisk of OPTIONS", { ":method": "OPTIONS", ":path": "*" }],
  ["what browsers do not encode", { ":path": "/a{b}|c[d]?e={f}" }],
  ["an empty query", { ":path": "/?" }],
])("parseHttp2Head(): lets pass %s", (_, pseudo) => {
  const parsed = parseHttp2Head(lines(pseudo), 100);
  expect(parsed.kind).toBe("head");
});

test.each([
  ["CONNECT", 405, lines({ ":method": "CONNECT", ":path": undefined, ":scheme": undefined })],
  ["another scheme", 400, lines({ ":scheme": "ftp" })],
  ["a host that differs", 400, lines({}, "host", "other.example")],
  ["a port that differs", 400, lines({}, "host", "shop.example")],
  ["userinfo", 400, lines({ ":authority": "user@shop.example" })],
  ["a path in the authority", 400, lines({ ":authority": "shop.example/admin" })],
  ["a space in the authority", 400, lines({ ":authority": "a b" })],
  ["no authority", 400, lines({ ":authority": "" })],
  ["a fragment", 400, lines({ ":path": "/a#b" })],
  ["an absolute path form", 400, lines({ ":path": "http://other.example/" })],
  ["an asterisk of GET", 400, lines({ ":path": "*" })],
  ["an empty path", 400, lines({ ":path": "" })],
  ["octets beyond ASCII", 400, lines({ ":path": "/caf\u00e9" })],
  ["a space", 400, lines({ ":path": "/a b" })],
  ["http2-settings", 400, lines({}, "http2-settings", "AAMAAABk")],
  ["too many fields", 431, lines({}, ...Array.from({ length: 202 }, () => "a"))],
])("parseHttp2Head(): refuses %s", (_, status, sent) => {
  const parsed = parseHttp2Head(sent, 100);
  expect(parsed.kind === "refuse" && parsed.status).toBe(status);
});
