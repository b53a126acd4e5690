/**
 * Attacks on paths, hosts and headers, of groups A and B of the list of attacks, that only HTTP/2 can carry: frames that
 * no honest client sends, through two node proxies, to an application that tells what it got.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { type AttackedMesh, createAttackedMesh, policyOf, to, when } from "./attacked-mesh.ts";
import type { Manifest } from "./policy-mesh.ts";
import { END_HEADERS, END_STREAM, FRAME, frame, headerBlock, RawHttp2 } from "./raw-http2.ts";

type Field = readonly [string, string];
/** A status, or what was said in place of one. */
type Verdict = number | string;

const RESET = "reset 1";
const DENIED = 403;
let mesh: AttackedMesh;
const raws: RawHttp2[] = [];

beforeAll(async () => {
  mesh = await createAttackedMesh("wa-two");
});

afterEach(() => {
  for (const raw of raws.splice(0)) raw.destroy();
});

afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
});

async function attacker(): Promise<RawHttp2> {
  const raw = new RawHttp2(mesh.dial2().on("error", () => undefined));
  raws.push(raw);
  raw.greet();
  await raw.greeted();
  return raw.send(frame([FRAME.settings, 1, 0]));
}

/** Pseudo fields that are not named are those of a good request; `undefined` leaves one out. */
function fieldsOf(
  pseudo: Readonly<Record<string, string | undefined>>,
  fields: readonly Field[] = [],
): readonly Field[] {
  const good = { method: "GET", scheme: "http", authority: "api.shop", path: "/" };
  const all: Readonly<Record<string, string | undefined>> = { ...good, ...pseudo };
  const named = Object.entries(all).flatMap(([name, value]): readonly Field[] =>
    value === undefined ? [] : [[`:${name}`, value]],
  );
  return [...named, ...fields];
}

function request(stream: number, fields: readonly Field[], flags = END_HEADERS | END_STREAM) {
  return frame([FRAME.headers, flags, stream], headerBlock(fields));
}

async function ask(fields: readonly Field[]): Promise<Verdict> {
  const raw = await attacker();
  return raw.send(request(1, fields)).answer(1);
}

const ADMIN = policyOf("DENY", to({ paths: ["/admin", "/admin/*"] }));
const SECRET = policyOf("DENY", to({ hosts: ["secret.shop"] }));
const ROLE = policyOf("DENY", when("request.headers[x-role]", { values: ["admin"] }));

type Attack = readonly [name: string, policy: Manifest, fields: readonly Field[], verdict: Verdict];

const ATTACKS: readonly Attack[] = [
  ["attack 13: an empty path", ADMIN, fieldsOf({ path: "" }), RESET],
  ["attack 13: no path", ADMIN, fieldsOf({ path: undefined }), RESET],
  ["attack 13: a path without a slash", ADMIN, fieldsOf({ path: "admin" }), RESET],
  ["attack 13: an asterisk of GET", ADMIN, fieldsOf({ path: "*" }), RESET],
  ["attack 13: an absolute path form", ADMIN, fieldsOf({ path: "http://api.shop/admin" }), RESET],
  ["attack 13: a blank in the path", ADMIN, fieldsOf({ path: "/admin x" }), RESET],
  ["attack 13: a line end in the path", ADMIN, fieldsOf({ path: "/x\r\nx-a: b" }), RESET],
  ["attack 1: two slashes", ADMIN, fieldsOf({ path: "//admin" }), DENIED],
  ["attack 4: a fragment", ADMIN, fieldsOf({ path: "/admin#x" }), 400],
  ["attack 6: a parameter", ADMIN, fieldsOf({ path: "/admin;x" }), 400],
  ["attack 14: a scheme in upper case", ADMIN, fieldsOf({ scheme: "HTTP", path: "/admin" }), 400],
  ["attack 14: in mixed case", ADMIN, fieldsOf({ scheme: "hTTps", path: "/admin" }), 400],
  ["attack 14: no scheme", ADMIN, fieldsOf({ scheme: undefined, path: "/admin" }), RESET],
  ["attack 14: a file", ADMIN, fieldsOf({ scheme: "file", path: "/admin" }), 400],
  ["attack 14: https", ADMIN, fieldsOf({ scheme: "https", path: "/admin" }), DENIED],
  ["attack 18: mixed case", SECRET, fieldsOf({ authority: "SECRET.Shop" }), DENIED],
  ["attack 18: a dot at the end", SECRET, fieldsOf({ authority: "secret.shop." }), DENIED],
  ["attack 18: user information", SECRET, fieldsOf({ authority: "a@secret.shop" }), RESET],
  ["attack 19: a port", SECRET, fieldsOf({ authority: "secret.shop:80" }), DENIED],
  ["attack 19: port 0", SECRET, fieldsOf({ authority: "secret.shop:0" }), 400],
  ["attack 19: port 65536", SECRET, fieldsOf({ authority: "secret.shop:65536" }), 400],
  ["attack 19: an empty port", SECRET, fieldsOf({ authority: "secret.shop:" }), 400],
  ["attack 19: a percent", SECRET, fieldsOf({ authority: "secret%2eshop" }), 400],
  ["attack 20: no authority", SECRET, fieldsOf({ authority: undefined }), RESET],
  ["attack 20: an empty one", SECRET, fieldsOf({ authority: "" }), RESET],
  ["attack 20: two authorities", SECRET, [[":authority", "secret.shop"], ...fieldsOf({})], RESET],
  ["attack 21: a host that differs", SECRET, fieldsOf({}, [["host", "secret.shop"]]), 400],
  [
    "attack 21: an authority that differs",
    SECRET,
    fieldsOf({ authority: "secret.shop" }, [["host", "api.shop"]]),
    400,
  ],
  [
    "attack 21: a host alone",
    SECRET,
    fieldsOf({ authority: undefined }, [["host", "secret.shop"]]),
    DENIED,
  ],
  [
    "attack 21: two hosts",
    SECRET,
    fieldsOf({}, [
      ["host", "api.shop"],
      ["host", "secret.shop"],
    ]),
    RESET,
  ],
  [
    "attack 22: two lines",
    ROLE,
    fieldsOf({}, [
      ["x-role", "user"],
      ["x-role", "admin"],
    ]),
    DENIED,
  ],
  ["attack 25: a name in upper case", ROLE, fieldsOf({}, [["X-Role", "admin"]]), RESET],
  ["attack 25: an underscore", ROLE, fieldsOf({}, [["x_role", "admin"]]), DENIED],
  [
    "attack 27: a pseudo field behind others",
    ADMIN,
    [...fieldsOf({ path: undefined }, [["x-a", "b"]]), [":path", "/admin"]],
    RESET,
  ],
  ["attack 27: a path twice", ADMIN, [...fieldsOf({}), [":path", "/admin"]], RESET],
  ["attack 27: a method twice", ADMIN, [...fieldsOf({}), [":method", "POST"]], RESET],
  ["attack 27: an unknown pseudo field", ADMIN, [[":shop", "x"], ...fieldsOf({})], RESET],
  ["attack 27: that of an answer", ADMIN, [[":status", "200"], ...fieldsOf({})], RESET],
  ["attack 28: connection", ROLE, fieldsOf({}, [["connection", "authorization"]]), RESET],
  ["attack 28: te", ROLE, fieldsOf({}, [["te", "gzip"]]), RESET],
  ["attack 28: transfer-encoding", ROLE, fieldsOf({}, [["transfer-encoding", "chunked"]]), RESET],
  ["attack 28: upgrade", ROLE, fieldsOf({}, [["upgrade", "h2c"]]), RESET],
  ["attack 28: keep-alive", ROLE, fieldsOf({}, [["keep-alive", "1"]]), RESET],
  ["attack 28: proxy-connection", ROLE, fieldsOf({}, [["proxy-connection", "close"]]), RESET],
  ["attack 28: http2-settings", ROLE, fieldsOf({}, [["http2-settings", "AAMAAABk"]]), 400],
  ["attack 30: a method in lower case", ROLE, fieldsOf({ method: "get" }), 400],
  ["attack 30: CONNECT", ROLE, fieldsOf({ method: "CONNECT" }), RESET],
  [
    "attack 30: CONNECT as it should be",
    ROLE,
    fieldsOf({ method: "CONNECT", scheme: undefined, path: undefined }),
    405,
  ],
  ["attack 30: a method of 8 KB", ROLE, fieldsOf({ method: "D".repeat(8_192) }), 400],
];

test.each(ATTACKS)("%s", async (...[, policy, fields, verdict]) => {
  mesh.rule(policy);
  expect(await ask(fields)).toBe(verdict);
  expect(mesh.streams).toEqual([]);
});

/** RFC 9113 8.2.1: such a request "MUST be treated as malformed". */
const NO_FIELDS: readonly (readonly [name: string, field: Field])[] = [
  ["attack 23: blanks around a value", ["x-role", " admin\t"]],
  ["attack 26: LF", ["x-role", "a\nx-role: admin"]],
  ["attack 26: CR", ["x-role", "admin\r"]],
  ["attack 26: NUL", ["x-role", "admin\0"]],
  ["attack 26: a line end in a name", ["x-a\r\nx-role", "admin"]],
  ["attack 27: a colon in a name", ["x-role:", "admin"]],
  ["attack 27: a blank in a name", ["x-role ", "admin"]],
  ["attack 27: no name", ["", "admin"]],
  ["attack 27: a byte that is no letter", ["x-r\u00f6le", "admin"]],
];

test.each(NO_FIELDS)("%s: neither judged nor forwarded", async (_name, field) => {
  mesh.rule(policyOf("ALLOW", when("request.headers[x-role]", { values: ["*"] })));
  expect(await ask(fieldsOf({}, [field]))).toBe(RESET);
  mesh.rule(ADMIN);
  expect(await ask(fieldsOf({}, [field]))).toBe(RESET);
  expect(mesh.streams).toEqual([]);
});

test.each<readonly [string, Field]>([
  ["a pseudo field", [":path", "/admin"]],
  ["another", [":method", "DELETE"]],
])("attack 27: %s in trailers ends the request", async (_name, field) => {
  mesh.rule(ADMIN);
  const raw = await attacker();
  raw.send(request(1, fieldsOf({ method: "POST" }), END_HEADERS));
  raw.send(request(1, [field]));
  expect([RESET, 200]).toContain(await raw.answer(1));
  expect(mesh.streams.filter((headers) => headers[":path"] !== "/")).toEqual([]);
});

test("attack 29: nobody says of himself what the mesh says", async () => {
  mesh.rule(ADMIN);
  const spoofed: readonly Field[] = [
    ["x-weft-peer", "root"],
    ["x_weft_peer", "root"],
    ["x-forwarded-client-cert", "URI=root"],
    ["x-envoy-original-path", "/root"],
    ["x-envoy-internal", "root"],
  ];
  expect(await ask(fieldsOf({}, spoofed))).toBe(200);
  const [headers = {}] = mesh.streams;
  expect(JSON.stringify(headers)).not.toMatch(/root|weft|envoy/);
  expect(headers["x-forwarded-client-cert"]).toBe(
    "By=spiffe://cluster.local/ns/shop/sa/b;URI=spiffe://cluster.local/ns/shop/sa/web",
  );
});

test("attack 31: more headers than are read are refused, or the stream is", async () => {
  mesh.rule(ROLE);
  const many = Array.from({ length: 110 }, (_, i): Field => [`x-${i}`, "a"]);
  expect(await ask(fieldsOf({}, many))).toBe(431);
  expect(await ask(fieldsOf({}, [...many, ...many]))).toMatch(/^reset /);
  expect(mesh.streams).toEqual([]);
});

test.each(["99999999999H", "-1S", "1e9S", "0n", "", "9999999999999999999999n", "1\u00b5"])(
  "attack 32: grpc-timeout %j ends nothing but its own call",
  async (timeout) => {
    mesh.rule(ROLE);
    const grpc: readonly Field[] = [
      ["content-type", "application/grpc"],
      ["te", "trailers"],
      ["grpc-timeout", timeout],
    ];
    const raw = await attacker();
    raw.send(request(1, fieldsOf({ method: "POST", path: "/a.B/C" }, grpc)));
    expect([200, 400, RESET]).toContain(await raw.answer(1));
    raw.send(request(3, fieldsOf({})));
    expect(await raw.answer(3)).toBe(200);
    // To a denied one it opens nothing.
    raw.send(request(5, fieldsOf({ method: "POST" }, [...grpc, ["x-role", "admin"]])));
    expect(await raw.answer(5)).toBe(200);
    expect(mesh.streams.filter((headers) => headers["x-role"] !== undefined)).toEqual([]);
  },
);
