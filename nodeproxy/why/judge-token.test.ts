import { expect, test } from "@jest/globals";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { JwtRule, RequestAuthentication } from "../../core/model/request-authentication.ts";
import type { Attempt, Claims } from "../authz/attempt.ts";
import { judgeToken } from "./judge-token.ts";
import { viewMesh } from "./mesh-view.ts";

function rule(issuer: string, more: Partial<JwtRule> = {}): JwtRule {
  return {
    issuer,
    audiences: [],
    keys: { kind: "discovered" },
    fromHeaders: [{ name: "authorization", prefix: "Bearer " }],
    fromParams: ["access_token"],
    fromCookies: [],
    outputPayloadToHeader: "",
    outputClaimToHeaders: [],
    forwardOriginalToken: false,
    timeoutMs: 5_000,
    ...more,
  };
}

function judge(
  applied: Readonly<Record<string, Omit<RequestAuthentication, "ref"> | undefined>>,
  http?: { readonly claims?: Claims },
) {
  const enrolment: Enrolment = {
    uid: "u",
    namespace: "shop",
    name: "api-1",
    serviceAccount: "api",
    addresses: ["10.0.0.2"],
    netnsPath: "",
    policies: [],
    requestAuthentications: Object.keys(applied),
    modes: { default: "PERMISSIVE", ports: [] },
    probes: [],
    nodeAddresses: [],
    exclusions: NOTHING_EXCLUDED,
    owner: "api",
    zone: "",
  };
  const held = Object.entries(applied).flatMap(([ref, fields]) => {
    if (!fields) return [];
    const body = { kind: "requestAuthentication", value: { ref, ...fields } } as const;
    return [{ name: ref, version: "1", body }];
  });
  const opaque: Attempt = { sourceIp: [], destinationIp: [], destinationPort: 80 };
  const request = { method: "GET", path: "/", host: "api", headers: new Map(), ...http };
  const attempt = http ? { ...opaque, http: request } : opaque;
  const { attempt: seen, ...rest } = judgeToken(viewMesh("a", held), enrolment, attempt);
  return { ...rest, claims: seen.http?.claims };
}

const CLAIMS = { iss: "https://a.example", sub: "alice" };
const TAKES = { invalid: false, rules: [rule("https://a.example")] };
const UNREADABLE = { invalid: true, rules: [] };

test("judgeToken(): a token of an issuer that one of them names is taken, and policies see its claims", () => {
  const other = { invalid: false, rules: [rule("https://b.example")] };
  const { authentications, ...rest } = judge(
    { "shop/b": other, "shop/a": TAKES },
    { claims: CLAIMS },
  );
  expect(rest).toEqual({ token: "taken", claims: CLAIMS });
  expect(authentications.map(({ policy, state }) => [policy, state])).toEqual([
    ["shop/b", "applies"],
    ["shop/a", "applies"],
  ]);
});

test("judgeToken(): a token of any other issuer is refused, one without an issuer too, and no claim is seen", () => {
  for (const claims of [{ ...CLAIMS, iss: "https://A.example" }, { sub: "alice" }]) {
    expect(judge({ "shop/a": TAKES }, { claims })).toMatchObject({
      refused: "issuer_unknown",
      claims: undefined,
    });
  }
});

test("judgeToken(): where no rule applies nobody looks for the token, so policies see no claim", () => {
  const seen = { token: "not_looked_at", claims: undefined };
  expect(judge({}, { claims: CLAIMS })).toEqual({ ...seen, authentications: [] });
  const empty = { invalid: false, rules: [] };
  expect(judge({ "shop/a": empty }, { claims: CLAIMS })).toMatchObject(seen);
});

test("judgeToken(): one that has not arrived or cannot be read refuses each request, with and without a token", () => {
  for (const http of [{}, { claims: CLAIMS }]) {
    expect(judge({ "shop/a": TAKES, "shop/b": UNREADABLE }, http).refused).toBe(
      "authentication_unreadable",
    );
    expect(judge({ "shop/a": TAKES, "shop/c": undefined }, http).refused).toBe(
      "authentication_missing",
    );
  }
  expect(judge({ "shop/a": TAKES }, {}).refused).toBeUndefined();
});

test("judgeToken(): on an opaque port nothing is refused, and what would apply is told with its places", () => {
  const places = { fromHeaders: [{ name: "x-jwt", prefix: "" }], fromParams: [] };
  const rules = [rule("https://a.example"), rule("b", { ...places, fromCookies: ["sid"] })];
  expect(judge({ "shop/a": { invalid: false, rules }, "shop/b": UNREADABLE })).toEqual({
    claims: undefined,
    authentications: [
      {
        policy: "shop/a",
        state: "applies",
        issuers: [
          {
            issuer: "https://a.example",
            places: ["header authorization: Bearer", "parameter access_token"],
          },
          { issuer: "b", places: ["header x-jwt", "cookie sid"] },
        ],
      },
      { policy: "shop/b", state: "unreadable", issuers: [] },
    ],
  });
});
