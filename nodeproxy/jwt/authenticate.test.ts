/** RequestAuthentication against real tokens and a real server of keys, with attacks 34 to 48 (group C, JWT). */
import { generateKeyPairSync, sign } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { JwtRule, RequestAuthentication } from "../../core/model/request-authentication.ts";
import { TokenForger } from "../../test/fakes/token-forger.ts";
import { TokenIssuer } from "../../test/fakes/token-issuer.ts";
import { claimTexts } from "../authz/token-facts.ts";
import { type Authentication, RequestAuthenticator } from "./authenticate.ts";
import type { TokenCarrier } from "./find-tokens.ts";
import { KeySets } from "./key-sets.ts";

const NOW_S = 1_800_000_000;
const ISSUER = "https://issuer.example";
const issuer = new TokenIssuer();
const forger = new TokenForger(ISSUER, NOW_S);

beforeAll(async () => {
  await issuer.listen();
  await issuer.addKey("k1");
});

afterAll(() => issuer.close());
beforeEach(() => {
  issuer.answer = undefined;
});

function rule(fields: Partial<JwtRule> = {}): JwtRule {
  return {
    issuer: ISSUER,
    audiences: [],
    keys: { kind: "inline", jwks: issuer.jwks() },
    fromHeaders: [{ name: "authorization", prefix: "Bearer " }],
    fromParams: ["access_token"],
    fromCookies: [],
    outputPayloadToHeader: "",
    outputClaimToHeaders: [],
    forwardOriginalToken: false,
    timeoutMs: 1_000,
    ...fields,
  };
}

function authenticatorOf(
  rules: readonly JwtRule[],
  more: Partial<RequestAuthentication> = {},
): RequestAuthenticator {
  const authentication = { ref: "shop/jwt", invalid: false, rules, ...more };
  return new RequestAuthenticator({
    view: {
      enrolment: () => ({ requestAuthentications: ["shop/jwt"] }),
      requestAuthentication: () => authentication,
    },
    keySets: new KeySets({ allowLocal: () => true, onFailed: () => undefined }),
    now: () => NOW_S * 1000,
  });
}

interface Shown {
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  readonly target?: string;
}

function carrier({ headers = {}, target = "/" }: Shown): TokenCarrier {
  return { headers: new Map(Object.entries(headers)), target };
}

async function ask(rules: readonly JwtRule[], shown: Shown): Promise<Authentication> {
  return authenticatorOf(rules).authenticate("uid", carrier(shown));
}

function bearer(token: string): Shown {
  return { headers: { authorization: [`Bearer ${token}`] } };
}

function claims(fields: Readonly<Record<string, unknown>> = {}) {
  return forger.claims(fields);
}

async function askSigned(
  fields: Readonly<Record<string, unknown>>,
  over: Partial<JwtRule> = {},
): Promise<Authentication> {
  return ask([rule(over)], bearer(await issuer.sign(claims(fields))));
}

function rsaRule(): JwtRule {
  return rule({ keys: { kind: "inline", jwks: JSON.stringify({ keys: [forger.jwk] }) } });
}

test("authenticate(): a request without a token passes, without claims [D10]", async () => {
  const passed = await ask([rule()], {});
  expect(passed).toEqual({ kind: "passed", changes: { remove: [], set: [] } });
  const other = await ask([rule()], { headers: { authorization: ["Basic YTpi"] } });
  expect(other).toMatchObject({ kind: "passed" });
  expect(other).not.toHaveProperty("claims");
});

test("authenticate(): a valid token gives its claims, and is not forwarded", async () => {
  const passed = await askSigned({ scope: "read write", groups: ["a", "b"], azp: "web" });
  expect(passed).toEqual({
    kind: "passed",
    claims: claims({ scope: "read write", groups: ["a", "b"], azp: "web" }),
    changes: { remove: ["authorization"], set: [] },
  });
  const given = passed.kind === "passed" ? passed.claims : undefined;
  expect(claimTexts(given, ["scope"])).toEqual(["read", "write"]);
  expect(claimTexts(given, ["groups"])).toEqual(["a", "b"]);
});

test("authenticate(): tokens are found in headers, parameters and cookies, and taken out of them", async () => {
  const token = await issuer.sign(claims());
  const places = rule({
    fromHeaders: [{ name: "x-token", prefix: "jwt " }],
    fromParams: ["t"],
    fromCookies: ["session"],
  });
  const byHeader = await ask([places], { headers: { "x-token": [`jwt ${token}`] } });
  expect(byHeader).toMatchObject({ changes: { remove: ["x-token"], set: [] } });
  const byParam = await ask([places], { target: `/a?b=1&t=${token}&c=%20` });
  expect(byParam).toMatchObject({ claims: { sub: "ada" }, changes: { target: "/a?b=1&c=%20" } });
  expect(await ask([places], { target: `/a?t=${token}` })).toMatchObject({
    changes: { target: "/a" },
  });
  const byCookie = await ask([places], {
    headers: { cookie: [`theme=dark; session="${token}"; b=c`] },
  });
  expect(byCookie).toMatchObject({
    claims: { sub: "ada" },
    changes: { remove: ["cookie"], set: [["cookie", "theme=dark; b=c"]] },
  });
  // Not where nobody looks.
  expect(await ask([places], bearer("x.y.z"))).not.toHaveProperty("claims");
});

test("authenticate(): claims become headers, and what callers sent in these never passes", async () => {
  const outputs = rule({
    forwardOriginalToken: true,
    outputPayloadToHeader: "x-payload",
    outputClaimToHeaders: [
      { header: "x-sub", claim: ["sub"] },
      { header: "x-deep", claim: ["a", "b"] },
      { header: "x-list", claim: ["groups"] },
      { header: "x-evil", claim: ["evil"] },
      { header: "x-none", claim: ["constructor"] },
    ],
  });
  const names = ["x-payload", "x-sub", "x-deep", "x-list", "x-evil", "x-none"];
  const token = await issuer.sign(
    claims({ a: { b: 7 }, "a.b": "flat", groups: ["q"], evil: "a\r\nx-admin: 1" }),
  );
  expect(await ask([outputs], bearer(token))).toMatchObject({
    changes: {
      remove: names,
      set: [
        ["x-payload", token.split(".")[1]],
        ["x-sub", "ada"],
        ["x-deep", "7"],
        ["x-list", Buffer.from('["q"]').toString("base64")],
      ],
    },
  });
  expect(await ask([outputs], { headers: { "x-sub": ["root"] } })).toEqual({
    kind: "passed",
    changes: { remove: names, set: [] },
  });
});

test("authenticate(): what cannot be read or has not arrived refuses every request", async () => {
  const unreadable = authenticatorOf([], { invalid: true });
  expect(await unreadable.authenticate("uid", carrier({}))).toEqual({
    kind: "refused",
    reason: "authentication_unreadable",
  });
  const missing = new RequestAuthenticator({
    view: {
      enrolment: () => ({ requestAuthentications: ["shop/jwt"] }),
      requestAuthentication: () => undefined,
    },
    keySets: new KeySets({ allowLocal: () => true, onFailed: () => undefined }),
  });
  expect(await missing.authenticate("uid", carrier({}))).toEqual({
    kind: "refused",
    reason: "authentication_missing",
  });
});

test("authenticate(): several rules, of several issuers and of one", async () => {
  const other = new TokenIssuer();
  await other.addKey("o1", "EdDSA");
  const rules = [
    rule({ audiences: ["api"] }),
    rule({ audiences: ["web"] }),
    rule({ issuer: "other", keys: { kind: "inline", jwks: other.jwks() } }),
  ];
  for (const [signer, fields] of [
    [issuer, { aud: "web" }],
    [issuer, { aud: ["x", "api"] }],
    [other, { iss: "other" }],
  ] as const) {
    const token = await signer.sign(claims(fields));
    expect(await ask(rules, bearer(token))).toMatchObject({ kind: "passed", claims: fields });
  }
  // One issuer's keys never vouch for another.
  const forged = await other.sign(claims({ aud: "web" }), { kid: "k1" });
  expect(await ask(rules, bearer(forged))).toMatchObject({ kind: "refused" });
});

test.each([
  ...forger.forgeries(),
  ["attack 44: 1 MB", () => "a".repeat(1_048_576), "token_too_large"] as const,
])("authenticate(): %s is refused", async (_, make, reason) => {
  expect(await ask([rsaRule()], bearer(make()))).toEqual({ kind: "refused", reason });
});

test("authenticate(): attack 39: the edges of the clock's skew, and no exp at all", async () => {
  for (const fields of [{ exp: NOW_S - 59 }, { nbf: NOW_S + 60 }, { exp: NOW_S + 0.5 }]) {
    expect(await askSigned(fields)).toMatchObject({ kind: "passed", claims: fields });
  }
  expect(await askSigned({ exp: undefined })).toMatchObject({ kind: "passed" });
});

test("authenticate(): attack 40: audiences as text and as list, empty and missing", async () => {
  const api = { audiences: ["api", "web"] };
  expect(await askSigned({ aud: "api" }, api)).toMatchObject({ kind: "passed" });
  expect(await askSigned({ aud: ["other", "web"] }, api)).toMatchObject({ kind: "passed" });
  for (const aud of ["", [], ["API"], "api ", undefined]) {
    const refusal = { kind: "refused", reason: "audience_refused" };
    expect(await askSigned({ aud }, api)).toEqual(refusal);
  }
  for (const aud of [7, [7], { api: 1 }]) {
    expect(await askSigned({ aud }, api)).toEqual({ kind: "refused", reason: "token_malformed" });
  }
});

test("authenticate(): attack 45: strange names of claims reach no prototype", async () => {
  const text = `{"iss":"${ISSUER}","sub":"first","sub":"ada","__proto__":{"admin":"yes"},"a.b":"c","a[b]":["d"]}`;
  const passed = await ask([rsaRule()], bearer(forger.sign({ alg: "RS256" }, text)));
  const given = passed.kind === "passed" ? passed.claims : undefined;
  expect(given?.["sub"]).toBe("ada");
  expect(given?.["admin"]).toBeUndefined();
  expect(claimTexts(given, ["a.b"])).toEqual(["c"]);
  expect(claimTexts(given, ["a", "b"])).toEqual([]);
  expect(claimTexts(given, ["__proto__", "admin"])).toEqual(["yes"]);
  expect(claimTexts(given, ["constructor", "name"])).toEqual([]);
});

test("authenticate(): attack 47: claims of any depth are taken or left, never thrown at us", async () => {
  const deep = `${"[".repeat(5_000)}${"]".repeat(5_000)}`;
  const token = forger.sign({ alg: "RS256" }, forger.raw(`"sub":"ada","deep":${deep}`));
  const outputs = { outputClaimToHeaders: [{ header: "x-deep", claim: ["deep"] }] };
  const passed = await ask([{ ...rsaRule(), ...outputs }], bearer(token));
  expect(passed).toMatchObject({ kind: "passed", claims: { sub: "ada" } });
});

test("authenticate(): attack 46: two tokens are refused, one in two places is one", async () => {
  const token = await issuer.sign(claims());
  const other = await issuer.sign(claims({ sub: "root" }));
  const several = { kind: "refused", reason: "several_tokens" };
  const lines = { headers: { authorization: [`Bearer ${token}`, `Bearer ${other}`] } };
  expect(await ask([rule()], lines)).toEqual(several);
  const mixed = { ...bearer(token), target: `/?access_token=${other}` };
  expect(await ask([rule()], mixed)).toEqual(several);
  const twice = { ...bearer(token), target: `/?access_token=${token}` };
  expect(await ask([rule()], twice)).toMatchObject({
    claims: { sub: "ada" },
    changes: { remove: ["authorization"], target: "/" },
  });
  const joined = { headers: { authorization: [`Bearer ${token}, Bearer ${token}`] } };
  expect(await ask([rule()], joined)).toEqual({ kind: "refused", reason: "token_malformed" });
  // A place that takes tokens of another issuer only.
  const rules = [rule(), rule({ issuer: "other", fromHeaders: [{ name: "x-o", prefix: "" }] })];
  expect(await ask(rules, { headers: { "x-o": [token] } })).toEqual({
    kind: "refused",
    reason: "issuer_unknown",
  });
});

test("authenticate(): attack 46: ECDSA signatures of zeros and in DER are refused", async () => {
  const token = await issuer.sign(claims());
  const text = token.slice(0, token.lastIndexOf("."));
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keys = [{ ...publicKey.export({ format: "jwk" }), kid: "k1" }];
  const own = rule({ keys: { kind: "inline", jwks: JSON.stringify({ keys }) } });
  const der = sign("sha256", Buffer.from(text), privateKey).toString("base64url");
  for (const signature of ["A".repeat(86), der]) {
    expect(await ask([own], bearer(`${text}.${signature}`))).toMatchObject({ kind: "refused" });
  }
  const raw64 = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
  expect(await ask([own], bearer(`${text}.${raw64.toString("base64url")}`))).toMatchObject({
    kind: "passed",
  });
});

test("authenticate(): attack 42: keys that cannot be had refuse the token, and no token passes", async () => {
  const token = await issuer.sign(claims());
  const remote = rule({ keys: { kind: "uri", uri: issuer.uri }, timeoutMs: 300 });
  for (const answer of [
    (_: unknown, response: { destroy(): unknown }) => response.destroy(),
    () => undefined,
    (_: unknown, response: { end(text: string): unknown }) => response.end(""),
    (_: unknown, response: { end(text: string): unknown }) => response.end('{"keys":[]}'),
    (_: unknown, response: { end(text: string): unknown }) => response.end('{"keys":{}}'),
  ]) {
    issuer.answer = answer;
    const authenticator = authenticatorOf([remote]);
    expect(await authenticator.authenticate("uid", carrier(bearer(token)))).toEqual({
      kind: "refused",
      reason: "keys_unavailable",
    });
    expect(await authenticator.authenticate("uid", carrier({}))).toMatchObject({ kind: "passed" });
  }
});

test("authenticate(): attack 48: keys rotate, and a flood of unknown keys does not hammer the issuer", async () => {
  const rotating = new TokenIssuer();
  await rotating.listen();
  try {
    await rotating.addKey("old");
    const authenticator = authenticatorOf([rule({ keys: { kind: "uri", uri: rotating.uri } })]);
    const old = await rotating.sign(claims());
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => authenticator.authenticate("uid", carrier(bearer(old)))),
    );
    expect(answers.every(({ kind }) => kind === "passed")).toBe(true);
    expect(rotating.asked).toBe(1);
    const unknown = await rotating.sign(claims(), { kid: "made up" });
    const refused = await Promise.all(
      Array.from({ length: 200 }, () =>
        authenticator.authenticate("uid", carrier(bearer(unknown))),
      ),
    );
    expect(refused[0]).toEqual({ kind: "refused", reason: "key_unknown" });
    expect(rotating.asked).toBe(1);
    expect(await authenticator.authenticate("uid", carrier(bearer(old)))).toMatchObject({
      kind: "passed",
    });
  } finally {
    await rotating.close();
  }
});
