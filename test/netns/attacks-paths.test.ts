/**
 * Attacks on paths, of group A of the list of attacks: through two node proxies to an application that reads paths as
 * servers of every kind do. A path that is denied reaches none of them, and what is another path is no attack.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type AttackedMesh, createAttackedMesh, policyOf, to } from "./attacked-mesh.ts";
import type { Manifest } from "./policy-mesh.ts";

let mesh: AttackedMesh;

beforeAll(async () => {
  mesh = await createAttackedMesh("wa-path");
});

afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
});

const DENIED = "403 denied_by_policy";
const BELOW = ["/admin", "/admin/*"];

interface Form {
  readonly name: string;
  readonly policy: Manifest;
  /** What the policy is about, written anew. */
  readonly isDenied: (path: string) => boolean;
}

const DENY: Form = { name: "DENY", policy: policyOf("DENY", to({ paths: BELOW })), isDenied };
const FORMS: readonly Form[] = [
  DENY,
  { name: "ALLOW of what is not", policy: policyOf("ALLOW", to({ notPaths: BELOW })), isDenied },
  {
    name: "a prefix",
    policy: policyOf("DENY", to({ paths: ["/admin*"] })),
    isDenied: (path) => path.startsWith("/admin"),
  },
  {
    name: "a suffix",
    policy: policyOf("DENY", to({ paths: ["*/admin"] })),
    isDenied: (path) => path.endsWith("/admin"),
  },
  {
    name: "templates",
    policy: policyOf("DENY", to({ paths: ["/admin", "/admin/{**}", "/{*}/admin"] })),
    isDenied: (path) => isDenied(path) || /^\/[^/]+\/admin$/.test(path),
  },
];

function isDenied(path: string): boolean {
  return path === "/admin" || path.startsWith("/admin/");
}

type PathAttack = readonly [name: string, target: string, verdict: string];

const ATTACKS: readonly PathAttack[] = [
  ["attack 1: two slashes", "//admin", DENIED],
  ["attack 1: three slashes", "///admin", DENIED],
  ["attack 1: slashes and dots", "/x//../admin", DENIED],
  ["attack 1: slashes behind", "/admin//x", DENIED],
  ["attack 2: an encoded slash", "/%2Fadmin", "400 path_encoded_slash"],
  ["attack 2: in the middle", "/a%2fb", "400 path_encoded_slash"],
  ["attack 2: an encoded backslash", "/%5Cadmin", "400 path_encoded_slash"],
  ["attack 2: a backslash", "/\\admin", DENIED],
  ["attack 2: for the first slash", "\\admin", "400 target_invalid"],
  ["attack 2: slashes of both kinds", "/app/\\/\\/\\admin", "200 /app/admin"],
  ["attack 2: and dots", "/app/\\/\\/\\..\\admin", DENIED],
  ["attack 3: dots", "/app/../admin", DENIED],
  ["attack 3: one of them encoded", "/app/%2E./admin", DENIED],
  ["attack 3: both", "/app/%2e%2e/admin", DENIED],
  ["attack 3: and a slash that is encoded", "/..%2fadmin", "400 path_encoded_slash"],
  ["attack 3: three dots are a name", "/.../admin", "200 /.../admin"],
  ["attack 3: a dot", "/./admin", DENIED],
  ["attack 3: above the root", "/../../admin", DENIED],
  ["attack 3: dots at the end", "/admin/x/..", DENIED],
  ["attack 4: a fragment", "/admin#x", "400 target_fragment"],
  ["attack 4: an encoded number sign", "/admin%23x", "200 /admin%23x"],
  ["attack 4: and dots behind", "/admin%23x/../../admin", DENIED],
  ["attack 5: an empty query", "/admin?", DENIED],
  ["attack 5: a query", "/admin?x", DENIED],
  ["attack 5: an empty fragment", "/admin#", "400 target_fragment"],
  ["attack 5: a query with a path in it", "/public?/../admin", "200 /public?/../admin"],
  ["attack 6: a parameter", "/admin;a=b", "400 path_parameters"],
  ["attack 6: before it", "/;/admin", "400 path_parameters"],
  ["attack 6: behind dots", "/..;/admin", "400 path_parameters"],
  ["attack 6: behind a dot", "/.;/admin", "400 path_parameters"],
  ["attack 6: behind the name", "/admin;/x", "400 path_parameters"],
  ["attack 6: encoded", "/admin%3bx", "400 path_parameters"],
  ["attack 7: case counts", "/Admin", "200 /Admin"],
  ["attack 7: all of it", "/ADMIN", "200 /ADMIN"],
  ["attack 7: but not of what is encoded", "/%61dmin", DENIED],
  ["attack 9: dots encoded twice", "/%252e%252e%252fadmin", "400 path_double_encoded"],
  ["attack 9: three times", "/%25252e%25252e/admin", "400 path_double_encoded"],
  ["attack 9: a letter encoded twice", "/%2561dmin", "400 path_double_encoded"],
  ["attack 9: the digits encoded", "/%25%36%31dmin", "400 path_double_encoded"],
  ["attack 9: overlong, encoded twice", "/%25c0%25ae%25c0%25ae/admin", "400 path_double_encoded"],
  ["attack 10: an overlong dot", "/app/%c0%ae%c0%ae/admin", "400 path_not_utf8"],
  ["attack 10: an overlong slash", "/app%c0%afadmin", "400 path_not_utf8"],
  ["attack 10: an overlong backslash", "/app/..%c1%9cadmin", "400 path_not_utf8"],
  ["attack 10: three bytes", "/app/%e0%80%ae%e0%80%ae/admin", "400 path_not_utf8"],
  ["attack 10: a surrogate", "/%ed%a0%80admin", "400 path_not_utf8"],
  ["attack 10: as Microsoft's servers encode", "/%u0061dmin", "400 path_malformed_percent"],
  ["attack 10: a dot of theirs", "/app/%u002e%u002e/admin", "400 path_malformed_percent"],
  ["attack 10: a raw byte", "/admin\u00a0", "400 target_invalid"],
  ["attack 10: raw UTF-8", "/\u00c3\u00a4/admin", "400 target_invalid"],
  ["attack 10: a percent alone", "/%/admin", "400 path_malformed_percent"],
  ["attack 12: another host", "http://other.example/admin", "400 authority_differs_from_host"],
  ["attack 12: the same host", "http://api.shop/admin", DENIED],
  ["attack 12: with user information", "http://x@api.shop/admin", "400 authority_userinfo"],
  ["attack 12: and no path", "http://api.shop?/admin", "200 /?/admin"],
  ["attack 13: no slash", "admin", "400 target_invalid"],
  ["attack 13: authority form", "api.shop:8080", "400 target_invalid"],
  ["attack 13: asterisk form", "*", "400 target_invalid"],
  ["attack 13: a space", "/ad min", "400 request_malformed"],
  ["attack 13: a tab", "/ad\tmin", "400 target_invalid"],
  ["attack 13: a CR", "/ad\rmin", "400 target_invalid"],
  ["attack 13: a LF", "/public\nGET /admin HTTP/1.1", "400 field_invalid"],
  ["attack 13: a line end", "/public HTTP/1.1\r\n\r\nGET /admin", "400 host_missing"],
  ["attack 14: a scheme in other case", "HTTP://api.shop/admin", DENIED],
  ["attack 14: https in other case", "hTTps://api.shop/admin", "400 target_invalid"],
  ["attack 14: a file", "file:///admin", "400 target_invalid"],
  ["attack 14: a script", "javascript:/admin", "400 target_invalid"],
];

test.each(ATTACKS)("%s", async (_name, target, verdict) => {
  mesh.rule(DENY.policy);
  expect(await mesh.verdict({ target })).toBe(verdict);
  for (const form of FORMS) {
    mesh.rule(form.policy);
    await mesh.send({ target });
    expect(reachedBy(form)).toEqual({ form: form.name, reached: [] });
  }
});

function reachedBy({ name: form, isDenied: denied }: Form): object {
  return { form, reached: mesh.server.reached(denied) };
}

/** Each on a connection of its own, some at a time. Gives how often each status was answered. */
async function sendAll(targets: readonly string[]): Promise<Readonly<Record<number, number>>> {
  const counts: Record<number, number> = {};
  for (let i = 0; i < targets.length; i += 16) {
    const some = targets.slice(i, i + 16);
    for (const { status } of await Promise.all(some.map((target) => mesh.send({ target })))) {
      counts[status] = (counts[status] ?? 0) + 1;
    }
  }
  return counts;
}

test("attack 8: every byte behind the path, encoded: controls are refused, the others are another path", async () => {
  const targets = Array.from(
    { length: 256 },
    (_, byte) => `/admin%${byte.toString(16).padStart(2, "0")}`,
  );
  mesh.rule(DENY.policy);
  // 33 controls, 128 bytes that are no UTF-8, %2f, %5c and %3b.
  expect(await sendAll(targets)).toEqual({ 200: 92, 400: 164 });
  expect(mesh.server.targets).toHaveLength(92);
  for (const form of FORMS) {
    mesh.rule(form.policy);
    await sendAll(targets);
    expect(reachedBy(form)).toEqual({ form: form.name, reached: [] });
  }
});

const DOTS = ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "%c0%ae%c0%ae", "%u002e%u002e", "..;"];
const SLASHES = ["/", "//", "\\", "%2f", "%5c", "%252f", "%255c", "%c0%af", "%c1%9c", "%u2215"];

test("attacks 9 and 11: dots and slashes in every encoding, one to six deep", async () => {
  const targets = DOTS.flatMap((dots) =>
    SLASHES.flatMap((slash) =>
      [1, 2, 3, 4, 5, 6].flatMap((depth) => [
        `/${`${dots}${slash}`.repeat(depth)}admin`,
        `/app/x${`${slash}${dots}`.repeat(depth)}${slash}admin`,
      ]),
    ),
  );
  mesh.rule(DENY.policy);
  // Four spellings of dots and three of slashes are read alike; one way down from two is no attack.
  const denied = 4 * 3 * (6 + 5);
  const counts = { 200: 4 * 3, 400: targets.length - denied - 4 * 3, 403: denied };
  expect(await sendAll(targets)).toEqual(counts);
  expect(new Set(mesh.server.targets)).toEqual(new Set(["/app/admin"]));
  for (const form of FORMS) {
    mesh.rule(form.policy);
    await sendAll(targets);
    expect(reachedBy(form)).toEqual({ form: form.name, reached: [] });
  }
});

test("attack 5: a path that takes a token takes one behind any query", async () => {
  const rule = { from: [{ source: { notRequestPrincipals: ["*"] } }], ...to({ paths: BELOW }) };
  mesh.rule(policyOf("DENY", rule));
  for (const target of ["/admin?", "/admin?x", "/admin?access_token", "/admin??", "//admin?/x"]) {
    expect(await mesh.verdict({ target })).toBe(DENIED);
  }
  expect(await mesh.verdict({ target: "/admin#" })).toBe("400 target_fragment");
  expect(mesh.server.heads).toEqual([]);
});

test("attack 13: a path of 64 KB reaches nobody", async () => {
  mesh.rule(DENY.policy);
  // Who sends more than is read may not get to see the answer.
  const tooMuch = expect.stringMatching(/^(?:0|431 \w+)$/);
  expect(await mesh.verdict({ target: `/public/${"a".repeat(65_536)}` })).toEqual(tooMuch);
});

test("attack 15: headers that name another path change nothing, and those of the mesh do not go on", async () => {
  const lines = [
    "x-envoy-original-path: /public",
    "x_envoy_original_path: /public",
    "x-original-url: /public",
    "x-rewrite-url: /public",
    "x-forwarded-prefix: /public",
    "x-forwarded-uri: /public",
  ];
  mesh.rule(DENY.policy);
  expect(await mesh.verdict({ target: "/admin", lines })).toBe(DENIED);
  expect(mesh.server.heads).toEqual([]);
  const back = lines.map((line) => line.replace("/public", "/admin"));
  expect(await mesh.verdict({ target: "/public", lines: back })).toBe("200 /public");
  expect(mesh.server.heads.join()).not.toMatch(/x.envoy/i);
});

const TEMPLATES: readonly (readonly [template: string, target: string, isMatched: boolean])[] = [
  ["/a/{*}/c", "/a/b/c", true],
  ["/a/{*}/c", "/a/b/b/c", false],
  ["/a/{*}/c", "/a//c", false],
  ["/a/{*}/c", "/a/b/c/", false],
  ["/a/{*}/c", "/a/./b/c", true],
  ["/a/{*}", "/a/", false],
  ["/a/{*}", "/a", false],
  ["/a/{*}", "/a/b", true],
  ["/a/{*}", "/a/b?c=d", true],
  ["/a/{**}", "/a/b/c", true],
  ["/a/{**}", "/a/b/../../c", false],
  ["/a/{**}", "/ab", false],
  ["/a/{**}/c", "/a/b/b/c", true],
  ["/{*}/c", "/b/c", true],
  ["/{*}/c", "//c", false],
];

test.each(TEMPLATES)("attack 16: the template %s and %s", async (template, target, isMatched) => {
  mesh.rule(policyOf("DENY", to({ paths: [template] })));
  expect((await mesh.verdict({ target })).startsWith(isMatched ? DENIED : "200")).toBe(true);
  mesh.rule(policyOf("ALLOW", to({ paths: [template] })));
  const allowed = isMatched ? "200" : "403 not_allowed";
  expect((await mesh.verdict({ target })).startsWith(allowed)).toBe(true);
});

test.each([
  "//x/.././/b%61c",
  "/%7euser/./",
  "/a\\b",
  "/a%20b%e2%82%ac",
  "/%C3%a4/%2e%2E/%c3%A4",
  "/x?y=%2f..;",
])(
  "attack 17: the path that policy compares is the one that the application gets: %s",
  async (target) => {
    mesh.rule(policyOf("DENY", to({ paths: ["/nothing"] })));
    const [status, got = ""] = (await mesh.verdict({ target })).split(" ");
    expect(status).toBe("200");
    const [path = ""] = got.split("?");
    // As the application has read it, so it is written in policies, and so it comes back the same.
    mesh.rule(policyOf("ALLOW", to({ paths: [path] })));
    expect(await mesh.verdict({ target })).toBe(`200 ${got}`);
    expect(await mesh.verdict({ target: got })).toBe(`200 ${got}`);
    mesh.rule(policyOf("DENY", to({ paths: [path] })));
    expect(await mesh.verdict({ target })).toBe(DENIED);
  },
);
