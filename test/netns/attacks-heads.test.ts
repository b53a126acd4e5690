/**
 * Attacks on hosts, methods and headers, of group B of the list of attacks, over HTTP/1.1: through two node proxies, to an
 * application that keeps every byte of what came. Those that need HTTP/2 are in `attacks-heads-http2.test.ts`.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type AttackedMesh, createAttackedMesh, policyOf, to, when } from "./attacked-mesh.ts";
import { type RawRequest, requestText } from "./http-requests.ts";
import type { Manifest } from "./policy-mesh.ts";

let mesh: AttackedMesh;

beforeAll(async () => {
  mesh = await createAttackedMesh("wa-head");
});

afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
});

const DENIED = "403 denied_by_policy";
const NOT_ALLOWED = "403 not_allowed";
const PASSED = "200 /";

/** Who sends more than is read may not get to see the answer. */
const TOO_MUCH = expect.stringMatching(/^(?:0|400 \w+|431 \w+|501 \w+)$/);

const HOSTS: readonly (readonly [name: string, request: RawRequest, verdict: string])[] = [
  ["attack 18: mixed case", { host: "SECRET.Shop" }, DENIED],
  ["attack 18: a dot at the end", { host: "secret.shop." }, DENIED],
  ["attack 18: two dots at the end", { host: "secret.shop.." }, "400 host_malformed"],
  ["attack 18: a dot and a port", { host: "Secret.shop.:8080" }, DENIED],
  ["attack 18: user information", { host: "api.shop@secret.shop" }, "400 authority_userinfo"],
  ["attack 18: it alone", { host: "secret.shop@" }, "400 authority_userinfo"],
  ["attack 18: letters of another script", { host: "s\u00c3\u00a9cret.shop" }, "400 host_invalid"],
  ["attack 18: punycode is another host", { host: "xn--scret-bsa.shop" }, PASSED],
  ["attack 18: a percent", { host: "secret%2eshop" }, "400 host_invalid"],
  ["attack 18: a path", { host: "secret.shop/" }, "400 host_invalid"],
  ["attack 18: a list", { host: "api.shop,secret.shop" }, "400 host_invalid"],
  ["attack 19: a port", { host: "secret.shop:8080" }, DENIED],
  ["attack 19: port 0", { host: "secret.shop:0" }, "400 host_invalid"],
  ["attack 19: port 65536", { host: "secret.shop:65536" }, "400 host_invalid"],
  ["attack 19: an empty port", { host: "secret.shop:" }, "400 host_invalid"],
  ["attack 19: zeros before the port", { host: "secret.shop:0080" }, "400 host_malformed"],
  ["attack 19: a sign", { host: "secret.shop:+80" }, "400 host_invalid"],
  ["attack 19: two ports", { host: "secret.shop:80:80" }, "400 host_invalid"],
  ["attack 20: two Hosts", { lines: ["host: secret.shop"] }, "400 host_duplicate"],
  ["attack 20: the same twice", { lines: ["Host: api.shop"] }, "400 host_duplicate"],
  [
    "attack 20: absolute form against Host",
    { target: "http://secret.shop/" },
    "400 authority_differs_from_host",
  ],
  ["attack 20: both of them", { target: "http://SECRET.shop/", host: "secret.shop" }, DENIED],
  ["attack 20: an empty Host", { host: "" }, "400 host_invalid"],
  [
    "attack 20: white space before the colon",
    { lines: ["host : secret.shop"] },
    "400 field_invalid",
  ],
  ["attack 20: under another name", { lines: ["x-forwarded-host: secret.shop"] }, PASSED],
  ["attack 23: a folded line", { lines: ["x-a: b", " host: secret.shop"] }, "400 field_folded"],
  ["attack 23: white space around the host", { host: " \tsecret.shop\t " }, DENIED],
];

test.each(HOSTS)("%s", async (_name, request, verdict) => {
  mesh.rule(policyOf("DENY", to({ hosts: ["secret.shop"] })));
  expect(await mesh.verdict(request)).toBe(verdict);
  mesh.rule(policyOf("ALLOW", to({ notHosts: ["secret.shop"] })));
  expect(await mesh.verdict(request)).toBe(verdict === DENIED ? NOT_ALLOWED : verdict);
});

test("attack 20: no Host at all", async () => {
  mesh.rule(policyOf("ALLOW", to({ notHosts: ["secret.shop"] })));
  const { reason } = await mesh.sendText("GET / HTTP/1.1\r\nconnection: close\r\n\r\n");
  expect(reason).toBe("host_missing");
  expect(mesh.server.heads).toEqual([]);
});

const ADMIN = when("request.headers[x-role]", { values: ["admin"] });
const NOT_USER = when("request.headers[x-role]", { notValues: ["user"] });
const PRESENT = when("request.headers[x-role]", { values: ["*"] });
const DENY_ADMIN = policyOf("DENY", ADMIN);
const ALLOW_ADMIN = policyOf("ALLOW", ADMIN);
const DENY_NOT_USER = policyOf("DENY", NOT_USER);
const ALLOW_NOT_USER = policyOf("ALLOW", NOT_USER);

type HeaderAttack = readonly [
  name: string,
  lines: readonly string[],
  policy: Manifest,
  verdict: string,
];

const HEADERS: readonly HeaderAttack[] = [
  ["attack 22: the second of two lines", ["x-role: user", "x-role: admin"], DENY_ADMIN, DENIED],
  ["attack 22: the first", ["x-role: admin", "x-role: user"], DENY_ADMIN, DENIED],
  ["attack 22: one of a list", ["x-role: user, admin"], DENY_ADMIN, DENIED],
  ["attack 22: a list without blanks", ["x-role: user,admin,x"], DENY_ADMIN, DENIED],
  [
    "attack 22: each line must be allowed",
    ["x-role: admin", "x-role: x"],
    ALLOW_ADMIN,
    NOT_ALLOWED,
  ],
  ["attack 22: a list is not its item", ["x-role: admin,x"], ALLOW_ADMIN, NOT_ALLOWED],
  ["attack 22: any line counts as none", ["x-role: x", "x-role: user"], DENY_NOT_USER, DENIED],
  ["attack 22: and in an ALLOW", ["x-role: x", "x-role: user"], ALLOW_NOT_USER, NOT_ALLOWED],
  ["attack 22: names in any case", ["X-RoLe: admin"], DENY_ADMIN, DENIED],
  ["attack 23: blanks around the value", ["x-role: \t admin \t"], DENY_ADMIN, DENIED],
  ["attack 23: no blank", ["x-role:admin"], DENY_ADMIN, DENIED],
  ["attack 23: a folded value", ["x-role: x,", " admin"], DENY_ADMIN, "400 field_folded"],
  ["attack 23: a control in the value", ["x-role: ad\u0001min"], DENY_ADMIN, "400 field_invalid"],
  ["attack 24: an empty value may be present", ["x-role:"], policyOf("DENY", PRESENT), DENIED],
  ["attack 24: or not", ["x-role:"], policyOf("ALLOW", PRESENT), NOT_ALLOWED],
  ["attack 24: an empty value is not user", ["x-role: "], DENY_NOT_USER, DENIED],
  ["attack 24: no line at all", [], DENY_NOT_USER, DENIED],
  ["attack 25: an underscore", ["x_role: admin"], DENY_ADMIN, DENIED],
  ["attack 25: a dot", ["x.role: admin"], DENY_ADMIN, DENIED],
  ["attack 25: two names", ["x-role: user", "X_Role: admin"], DENY_ADMIN, DENIED],
  ["attack 25: two names in an ALLOW", ["x-role: admin", "x_role: x"], ALLOW_ADMIN, NOT_ALLOWED],
  [
    "attack 25: names of JavaScript's own",
    ["__proto__: x-role", "constructor: admin", "hasOwnProperty: admin", "toString: admin"],
    ALLOW_ADMIN,
    NOT_ALLOWED,
  ],
  [
    "attack 28: a field that is no hop's",
    ["connection: authorization"],
    DENY_ADMIN,
    "400 connection_option",
  ],
  ["attack 28: nor this", ["connection: x-forwarded-for"], DENY_ADMIN, "400 connection_option"],
];

test.each(HEADERS)("%s", async (...[, lines, policy, verdict]) => {
  mesh.rule(policy);
  expect(await mesh.verdict({ lines })).toBe(verdict);
});

test.each(["__proto__", "constructor", "hasOwnProperty", "toString"])(
  "attack 25: a header of the name %s is one as any other",
  async (name) => {
    const absent = when(`request.headers[${name}]`, { values: ["*"] });
    mesh.rule(policyOf("ALLOW", absent));
    expect(await mesh.verdict({})).toBe(NOT_ALLOWED);
    expect(await mesh.verdict({ lines: [`${name}: x`] })).toBe(PASSED);
    mesh.rule(policyOf("DENY", absent));
    expect(await mesh.verdict({})).toBe(PASSED);
    expect(await mesh.verdict({ lines: [`${name}: x`] })).toBe(DENIED);
  },
);

test("attack 28: what Connection names is gone for policy and for the application alike", async () => {
  const lines = ["x-role: admin", "connection: x-role"];
  mesh.rule(ALLOW_ADMIN);
  expect(await mesh.verdict({ lines })).toBe(NOT_ALLOWED);
  mesh.rule(DENY_ADMIN);
  expect(await mesh.verdict({ lines })).toBe(PASSED);
  expect(mesh.server.heads.join()).not.toMatch(/x-role/i);
});

const SPOOFED = [
  "x-weft-peer: root",
  "X_Weft_Peer: root",
  "x.weft.reason: root",
  "x-forwarded-client-cert: URI=root",
  "x_forwarded_client_cert: URI=root",
  "x-envoy-external-address: root",
  "x-envoy-internal: root",
];

test("attack 29: nobody says of himself what the mesh says", async () => {
  const own = when("request.headers[x-weft-peer]", { values: ["root"] });
  mesh.rule(policyOf("ALLOW", own));
  expect(await mesh.verdict({ lines: SPOOFED })).toBe(NOT_ALLOWED);
  mesh.rule(DENY_ADMIN);
  expect(await mesh.verdict({ lines: SPOOFED })).toBe(PASSED);
  const [head = ""] = mesh.server.heads;
  expect(head).not.toMatch(/root|weft|x.envoy/i);
  expect(head.match(/^x.forwarded.client.cert:.*$/gim)).toEqual([
    "x-forwarded-client-cert: By=spiffe://cluster.local/ns/shop/sa/b;URI=spiffe://cluster.local/ns/shop/sa/web",
  ]);
});

test("attack 29: who is forwarded for is what a caller says, and counts for nothing", async () => {
  const lines = ["x-forwarded-for: 1.2.3.4", "forwarded: for=1.2.3.4", "x-real-ip: 1.2.3.4"];
  mesh.rule(policyOf("ALLOW", { from: [{ source: { remoteIpBlocks: ["1.2.3.4"] } }] }));
  expect(await mesh.verdict({ lines })).toBe(NOT_ALLOWED);
  mesh.rule(policyOf("DENY", { from: [{ source: { remoteIpBlocks: ["10.77.0.2"] } }] }));
  expect(await mesh.verdict({ lines })).toBe(DENIED);
});

const METHODS: readonly (readonly [name: string, request: RawRequest, verdict: string])[] = [
  ["attack 30: lower case", { method: "delete" }, "501 method_unknown"],
  ["attack 30: mixed case", { method: "Delete" }, "501 method_unknown"],
  ["attack 30: what it is", { method: "DELETE" }, DENIED],
  [
    "attack 30: CONNECT",
    { method: "CONNECT", target: "api.shop:8080" },
    "405 http_connect_refused",
  ],
  ["attack 30: TRACE", { method: "TRACE" }, PASSED],
  ["attack 30: made up", { method: "DELETE2" }, "501 method_unknown"],
  ["attack 30: a blank before it", { method: " DELETE" }, "400 request_malformed"],
];

test.each(METHODS)("%s", async (_name, request, verdict) => {
  mesh.rule(policyOf("DENY", to({ methods: ["DELETE"] })));
  expect(await mesh.verdict(request)).toBe(verdict);
});

test("attack 30: a method of 1 MB reaches nobody", async () => {
  mesh.rule(policyOf("DENY", to({ methods: ["DELETE"] })));
  expect(await mesh.verdict({ method: "D".repeat(1_048_576) })).toEqual(TOO_MUCH);
});

test("attack 30: headers that change the method are a condition of their own", async () => {
  const lines = ["x-http-method-override: DELETE", "content-length: 0"];
  mesh.rule(policyOf("ALLOW", to({ methods: ["DELETE"] })));
  expect(await mesh.verdict({ method: "POST", lines })).toBe(NOT_ALLOWED);
  mesh.rule(
    policyOf("DENY", when("request.headers[x-http-method-override]", { values: ["DELETE"] })),
  );
  expect(await mesh.verdict({ method: "POST", lines })).toBe(DENIED);
});

test.each([
  ["10,000 small headers", Array.from({ length: 10_000 }, (_, i) => `x-${i}: a`)],
  ["101 small headers", Array.from({ length: 101 }, (_, i) => `x-${i}: a`)],
  ["one of 64 KB", [`x-role: ${"a".repeat(65_536)}`]],
  ["a name of 64 KB", [`${"a".repeat(65_536)}: a`]],
])("attack 31: %s are too much, and reach nobody", async (_name, lines) => {
  mesh.rule(DENY_ADMIN);
  expect(await mesh.verdict({ lines })).toEqual(TOO_MUCH);
});

test("attack 31: many requests of one connection have no more than one has", async () => {
  mesh.rule(DENY_ADMIN);
  const lines = Array.from({ length: 90 }, (_, i) => `x-${i}: ${"a".repeat(500)}`);
  const text = requestText({ lines }).replace("connection: close", "connection: keep-alive");
  const { status } = await mesh.sendText(`${text.repeat(20)}${requestText({})}`);
  expect(status).toBe(200);
  expect(mesh.server.targets).toHaveLength(21);
});

function trustProxies(numTrustedProxies: number): Manifest {
  return {
    apiVersion: "weft.dev/v1",
    kind: "MeshConfig",
    metadata: { name: "default" },
    spec: { gatewayTopology: { numTrustedProxies } },
  };
}

const FORWARDED: readonly (readonly [name: string, lines: readonly string[], verdict: string])[] = [
  ["attack 33: as many hops as are trusted", ["x-forwarded-for: 1.2.3.4, 5.6.7.8"], PASSED],
  ["attack 33: in two lines", ["x-forwarded-for: 1.2.3.4", "x-forwarded-for: 5.6.7.8"], PASSED],
  ["attack 33: one behind", ["x-forwarded-for: 1.2.3.4, 5.6.7.8, 9.9.9.9"], NOT_ALLOWED],
  ["attack 33: fewer hops", ["x-forwarded-for: 1.2.3.4"], NOT_ALLOWED],
  ["attack 33: none", [], NOT_ALLOWED],
  ["attack 33: what a caller put in front", ["x-forwarded-for: 9.9.9.9, 1.2.3.4, 5.6.7.8"], PASSED],
  ["attack 33: IPv4 as IPv6", ["x-forwarded-for: ::ffff:1.2.3.4, 5.6.7.8"], PASSED],
  ["attack 33: a zone", ["x-forwarded-for: fe80::1%eth0, 5.6.7.8"], NOT_ALLOWED],
  ["attack 33: no address", ["x-forwarded-for: unknown, 5.6.7.8"], NOT_ALLOWED],
  ["attack 33: other ways to write one", ["x-forwarded-for: 0x1.2.3.4, 5.6.7.8"], NOT_ALLOWED],
  ["attack 33: another name", ["x_forwarded_for: 1.2.3.4, 5.6.7.8"], PASSED],
];

test.each(FORWARDED)("%s", async (_name, lines, verdict) => {
  const allowed = { from: [{ source: { remoteIpBlocks: ["1.2.3.4"] } }] };
  mesh.rule(trustProxies(2), policyOf("ALLOW", allowed));
  expect(await mesh.verdict({ lines })).toBe(verdict);
});
