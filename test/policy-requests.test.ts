/**
 * The cases of the policy language that a request shows, and what becomes of them where nobody can look.
 * Names in brackets are the design's case ids. That requests arrive here as they were sent is for proxies to show.
 */
import { expect, test } from "@jest/globals";
import type { Attempt, HttpFacts } from "../nodeproxy/authz/attempt.ts";
import { decide } from "../nodeproxy/authz/decide.ts";
import { explain } from "../nodeproxy/authz/explain.ts";
import {
  A,
  allow,
  attempt,
  B,
  deciderOf,
  deny,
  FROM_A,
  GET,
  outcome,
  source,
  type Written,
} from "./policy-language.ts";

const REQUEST: HttpFacts = {
  method: "GET",
  path: "/admin/users",
  host: "Api.Shop:8080",
  headers: new Map([["x-role", ["user"]]]),
  claims: {
    iss: "https://idp.example/realm",
    sub: "alice",
    aud: ["shop", "bank"],
    azp: "web",
    scope: "read write",
    groups: ["staff", "ops"],
    realm: { roles: ["admin"] },
  },
};

function asked(changes: Partial<HttpFacts> = {}): Attempt {
  return { ...attempt(A), remoteIp: [192, 168, 7, 1], http: { ...REQUEST, ...changes } };
}

function withoutToken(): Attempt {
  const { claims: _, ...http } = REQUEST;
  return { ...asked(), http };
}

function lines(...values: readonly string[]): Attempt {
  return asked({ headers: new Map([["x-role", values]]) });
}

function to(fields: Record<string, readonly string[]>) {
  return { to: [{ operation: fields }] };
}

function when(key: string, values: readonly string[], notValues: readonly string[] = []) {
  const lists = {
    ...(values.length > 0 ? { values } : {}),
    ...(notValues.length > 0 ? { notValues } : {}),
  };
  return { when: [{ key, ...lists }] };
}

const ROLE = "request.headers[X-Role]";

const cases: [string, readonly Written[], Attempt, string][] = [
  ["[D1] a method", [allow(to({ methods: ["GET"] }))], asked(), "permit"],
  [
    "[D1] methods are compared with their case",
    [allow(to({ methods: ["GET"] }))],
    asked({ method: "get" }),
    "not_allowed",
  ],
  ["[D1] notMethods", [deny(to({ notMethods: ["POST"] }))], asked(), "denied_by_policy"],
  ["[D2] an exact path", [allow(to({ paths: ["/admin/users"] }))], asked(), "permit"],
  [
    "[D2] a path that goes on is another",
    [allow(to({ paths: ["/admin"] }))],
    asked(),
    "not_allowed",
  ],
  [
    "[D2] paths are compared with their case",
    [deny(to({ paths: ["/Admin/users"] }))],
    asked(),
    "permit",
  ],
  ["[D3] a path's prefix", [deny(to({ paths: ["/admin*"] }))], asked(), "denied_by_policy"],
  [
    "[D3] a prefix with a slash is not what stands before it",
    [deny(to({ paths: ["/admin/*"] }))],
    asked({ path: "/admin" }),
    "permit",
  ],
  ["[D4] a path's suffix", [deny(to({ paths: ["*/users"] }))], asked(), "denied_by_policy"],
  ["[D4] * is any path", [deny(to({ paths: ["*"] }))], asked(), "denied_by_policy"],
  ["[D5] {*} is one segment", [allow(to({ paths: ["/{*}/users"] }))], asked(), "permit"],
  [
    "[D5] {*} is not two",
    [allow(to({ paths: ["/{*}/users"] }))],
    asked({ path: "/a/b/users" }),
    "not_allowed",
  ],
  [
    "[D5] {*} is not none",
    [allow(to({ paths: ["/a/{*}"] }))],
    asked({ path: "/a/" }),
    "not_allowed",
  ],
  [
    "[D5] {**} is any number",
    [allow(to({ paths: ["/a/{**}"] }))],
    asked({ path: "/a/b/c" }),
    "permit",
  ],
  ["[D5] {**} is none too", [allow(to({ paths: ["/a/{**}"] }))], asked({ path: "/a/" }), "permit"],
  [
    "[D5] the slash before {**} must be there",
    [allow(to({ paths: ["/a/{**}"] }))],
    asked({ path: "/a" }),
    "not_allowed",
  ],
  [
    "[D5] what follows {**} ends the path",
    [allow(to({ paths: ["/a/{**}/c"] }))],
    asked({ path: "/a/b/b/c" }),
    "permit",
  ],
  [
    "[D5] and may not be shared with what stands before it",
    [allow(to({ paths: ["/a/{**}/c"] }))],
    asked({ path: "/a/c" }),
    "not_allowed",
  ],
  ["[D6] notPaths", [allow(to({ paths: ["*"], notPaths: ["/admin*"] }))], asked(), "not_allowed"],
  [
    "[D6] fields of an operation are ANDed",
    [deny(to({ paths: ["/admin*"], methods: ["POST"] }))],
    asked(),
    "permit",
  ],
  [
    "[D7] a host without regard to case and port",
    [allow(to({ hosts: ["API.shop"] }))],
    asked(),
    "permit",
  ],
  ["[D7] a host with its port", [allow(to({ hosts: ["api.shop:8080"] }))], asked(), "permit"],
  [
    "[D7] a host with another port",
    [allow(to({ hosts: ["api.shop:80"] }))],
    asked(),
    "not_allowed",
  ],
  [
    "[D7] the dot of the root is the same host",
    [deny(to({ hosts: ["api.shop"] }))],
    asked({ host: "api.shop.:8080" }),
    "denied_by_policy",
  ],
  [
    "[D7] an IPv6 host and its port",
    [deny(to({ hosts: ["[fd00::1]"] }))],
    asked({ host: "[fd00::1]:80" }),
    "denied_by_policy",
  ],
  ["[D7] a host's suffix", [allow(to({ hosts: ["*.shop"] }))], asked(), "permit"],
  ["[D7] notHosts", [allow(to({ notHosts: ["api.shop"] }))], asked(), "not_allowed"],
  ["[D8] a header", [allow(when(ROLE, ["user"]))], asked(), "permit"],
  ["[D8] * is a header that is there", [allow(when(ROLE, ["*"]))], asked(), "permit"],
  [
    "[D8] * is no header that is missing",
    [allow(when("request.headers[x-none]", ["*"]))],
    asked(),
    "not_allowed",
  ],
  [
    "[D8] notValues on a missing header matches",
    [allow(when("request.headers[x-none]", [], ["a"]))],
    asked(),
    "permit",
  ],
  [
    "[D8] of several lines an ALLOW needs every one",
    [allow(when(ROLE, ["user"]))],
    lines("user", "admin"),
    "not_allowed",
  ],
  [
    "[D8] and a DENY any one",
    [deny(when(ROLE, ["admin"]))],
    lines("user", "admin"),
    "denied_by_policy",
  ],
  [
    "[D8] an item of a line's list is enough for a DENY",
    [deny(when(ROLE, ["admin"]))],
    lines("user, admin"),
    "denied_by_policy",
  ],
  [
    "[D8] all lines joined are one reading",
    [deny(when(ROLE, ["user,admin"]))],
    lines("user", "admin"),
    "denied_by_policy",
  ],
  [
    "[D8] an empty header does not open an ALLOW",
    [allow(when(ROLE, ["*"]))],
    lines(""),
    "not_allowed",
  ],
  ["[D8] nor does it pass a DENY", [deny(when(ROLE, ["*"]))], lines(""), "denied_by_policy"],
  [
    "[D8] names of objects are names of headers",
    [allow(when("request.headers[constructor]", [], ["a"]))],
    asked(),
    "permit",
  ],
  [
    "[D9] a claim in a list",
    [allow(when("request.auth.claims[groups]", ["ops"]))],
    asked(),
    "permit",
  ],
  [
    "[D9] scope is split at spaces",
    [allow(when("request.auth.claims[scope]", ["write"]))],
    asked(),
    "permit",
  ],
  [
    "[D9] and is not the whole text",
    [allow(when("request.auth.claims[scope]", ["read write"]))],
    asked(),
    "not_allowed",
  ],
  [
    "[D9] a claim within a claim",
    [allow(when("request.auth.claims[realm][roles]", ["admin"]))],
    asked(),
    "permit",
  ],
  [
    "[D9] a claim that is no text",
    [allow(when("request.auth.claims[realm]", ["*"]))],
    asked(),
    "not_allowed",
  ],
  [
    "[D9] a claim by the name of a prototype",
    [allow(when("request.auth.claims[__proto__][toString]", ["*"]))],
    asked(),
    "not_allowed",
  ],
  ["[D9] an audience", [allow(when("request.auth.audiences", ["bank"]))], asked(), "permit"],
  [
    "[D9] an audience as one text",
    [allow(when("request.auth.audiences", ["shop"]))],
    asked({ claims: { aud: "shop" } }),
    "permit",
  ],
  ["[D9] the presenter", [allow(when("request.auth.presenter", ["web"]))], asked(), "permit"],
  [
    "[D11] issuer and subject",
    [allow(source({ requestPrincipals: ["https://idp.example/realm/alice"] }))],
    asked(),
    "permit",
  ],
  [
    "[D11] a subject with a slash is no other issuer's",
    [allow(source({ requestPrincipals: ["https://idp.example/realm/alice"] }))],
    asked({ claims: { iss: "https://idp.example", sub: "realm/alice" } }),
    "not_allowed",
  ],
  [
    "[D11] any subject of an issuer",
    [allow(source({ requestPrincipals: ["https://idp.example/realm/*"] }))],
    asked(),
    "permit",
  ],
  ["[D11] * is any token", [allow(source({ requestPrincipals: ["*"] }))], asked(), "permit"],
  [
    "[D11] * is not none",
    [allow(source({ requestPrincipals: ["*"] }))],
    withoutToken(),
    "not_allowed",
  ],
  [
    "[D11] notRequestPrincipals matches without a token",
    [deny(source({ notRequestPrincipals: ["*"] }))],
    withoutToken(),
    "denied_by_policy",
  ],
  [
    "[D11] request.auth.principal",
    [deny(when("request.auth.principal", ["*/alice"]))],
    asked(),
    "denied_by_policy",
  ],
  [
    "[D16] the original client",
    [allow(source({ remoteIpBlocks: ["192.168.0.0/16"] }))],
    asked(),
    "permit",
  ],
  [
    "[D16] is not the direct peer",
    [allow(source({ remoteIpBlocks: ["10.0.0.0/8"] }))],
    asked(),
    "not_allowed",
  ],
  ["[D16] remote.ip", [deny(when("remote.ip", ["192.168.7.1"]))], asked(), "denied_by_policy"],
  ["[E1] where HTTP is seen: GET of A", [allow({ ...FROM_A, ...GET })], asked(), "permit"],
  ["[E3] where HTTP is seen: no GET", [deny(GET)], asked({ method: "PUT" }), "permit"],
  [
    "[E10] where HTTP is seen: either source suffices",
    [allow({ from: [{ source: { principals: [B] } }, { source: { requestPrincipals: ["*"] } }] })],
    asked(),
    "permit",
  ],
  [
    "a request does not show the original client of itself",
    [allow(source({ notRemoteIpBlocks: ["10.0.0.0/8"] }))],
    { ...attempt(A), http: REQUEST },
    "not_allowed",
  ],
  [
    "connection.sni where it is read",
    [allow(when("connection.sni", ["API.shop"]))],
    { ...attempt(A), sni: "api.shop" },
    "permit",
  ],
  [
    "connection.sni that is missing",
    [allow(when("connection.sni", [], ["api.shop"]))],
    { ...attempt(A), sni: "" },
    "permit",
  ],
];

for (const [name, written, attempted, expected] of cases) {
  test(`policy: ${name}`, () => {
    expect(outcome(written, attempted)).toBe(expected);
    const traced = explain(deciderOf(written), attempted).outcome;
    expect(traced.kind === "deny" ? traced.reason : "permit").toBe(expected);
  });
}

function custom(provider: string, ...rules: Record<string, unknown>[]): Written {
  return { name: provider, spec: { action: "CUSTOM", provider: { name: provider }, rules } };
}

function answered(answers: Readonly<Record<string, "permit" | "deny">>): Attempt {
  return { ...attempt(A), answers: new Map(Object.entries(answers)) };
}

test("policy: [A16] CUSTOM is a denial that names whom to ask, until it is answered", () => {
  const decider = deciderOf([custom("opa", FROM_A)], ["opa"]);
  expect(decide(decider, attempt(A)).verdict).toEqual({
    kind: "deny",
    reason: "denied_by_provider",
    policy: "shop/opa",
    rule: 0,
    ask: "opa",
  });
  expect(decide(decider, answered({ opa: "permit" })).verdict.kind).toBe("permit");
  const denial = decide(decider, answered({ opa: "deny" })).verdict;
  expect(denial).toMatchObject({ kind: "deny", reason: "denied_by_provider" });
  expect(denial).not.toHaveProperty("ask");
  expect(decide(decider, attempt(B)).verdict.kind).toBe("permit");
});

test("policy: [A16] a provider that nobody knows denies what matches, whatever the others say", () => {
  const decider = deciderOf([custom("opa", {}), custom("zzz", FROM_A)], ["opa"]);
  expect(decide(decider, answered({ opa: "permit" })).verdict).toMatchObject({
    policy: "shop/zzz",
    reason: "denied_by_provider",
  });
  const other = { ...attempt(B), answers: new Map([["opa", "permit" as const]]) };
  expect(decide(decider, other).verdict.kind).toBe("permit");
});

test("policy: [A17] a provider's yes skips nothing that follows", () => {
  const yes = answered({ opa: "permit" });
  const denied = deciderOf([custom("opa", {}), deny(FROM_A)], ["opa"]);
  expect(decide(denied, yes).verdict).toMatchObject({ reason: "denied_by_policy" });
  const closed = deciderOf([custom("opa", {}), allow(source({ principals: [B] }))], ["opa"]);
  expect(decide(closed, yes).verdict).toMatchObject({ reason: "not_allowed" });
});

test("policy: [A17] every provider that matches is asked in turn", () => {
  const decider = deciderOf([custom("a", {}), custom("b", {})], ["a", "b"]);
  expect(decide(decider, attempt(A)).verdict).toMatchObject({ ask: "a" });
  expect(decide(decider, answered({ a: "permit" })).verdict).toMatchObject({ ask: "b" });
  expect(decide(decider, answered({ a: "permit", b: "permit" })).verdict.kind).toBe("permit");
});

test("policy: [E4] the trace names what could not be seen", () => {
  const written = [allow({ ...FROM_A, ...GET }), { ...deny({ ...GET }), name: "q" }];
  const { policies, outcome: said } = explain(deciderOf(written), attempt(A));
  expect(said).toEqual({ kind: "deny", reason: "denied_by_policy", policy: "shop/q", rule: 0 });
  const unseen = { field: "methods", wanted: ["GET"], seen: [], outcome: "unseen" };
  expect(policies.map(({ rules }) => rules[0])).toMatchObject([
    { matched: false, dropped: true, failed: [], to: [{ clauses: [unseen] }] },
    { matched: true, dropped: false, to: [{ matched: true, clauses: [unseen] }] },
  ]);
});

test("explain(): shows every value in the forms that were compared", () => {
  const rule = {
    from: [{ source: { requestPrincipals: ["*"], notRemoteIpBlocks: ["10.0.0.0/8"] } }],
    to: [{ operation: { hosts: ["x"], notPaths: ["/a/{*}"], methods: ["P*"] } }],
    when: [
      { key: ROLE, values: ["a"], notValues: ["b"] },
      { key: "request.auth.claims[realm][roles]", values: ["*n"] },
    ],
  };
  const [policy] = explain(deciderOf([allow(rule)]), asked()).policies;
  const traced = policy?.rules[0];
  expect(traced?.failed).toEqual(["to", "when[0]"]);
  expect(traced?.from[0]?.clauses).toEqual([
    {
      field: "requestPrincipals",
      wanted: ["*/*"],
      seen: ["https://idp.example/realm/alice"],
      outcome: "match",
    },
    { field: "notRemoteIpBlocks", wanted: ["10.0.0.0/8"], seen: ["192.168.7.1"], outcome: "match" },
  ]);
  expect(traced?.to[0]?.clauses).toEqual([
    { field: "hosts", wanted: ["x"], seen: ["api.shop:8080", "api.shop"], outcome: "no_match" },
    { field: "methods", wanted: ["P*"], seen: ["GET"], outcome: "no_match" },
    { field: "notPaths", wanted: ["/a/{*}"], seen: ["/admin/users"], outcome: "match" },
  ]);
  expect(traced?.when).toEqual([
    [
      {
        field: "request.headers[x-role]",
        wanted: ["a", "not b"],
        seen: ["user"],
        outcome: "no_match",
      },
    ],
    [
      {
        field: "request.auth.claims[realm][roles]",
        wanted: ["*n"],
        seen: ["admin"],
        outcome: "match",
      },
    ],
  ]);
});
