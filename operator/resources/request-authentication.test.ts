import { expect, test } from "@jest/globals";
import { parseRequestAuthentication } from "./request-authentication.ts";

function parse(spec: unknown) {
  const metadata = { name: "jwt", namespace: "shop" };
  return parseRequestAuthentication({
    apiVersion: "weft.dev/v1",
    kind: "RequestAuthentication",
    metadata,
    spec,
  });
}

const issuer = "https://a.example";
const jwks = '{"keys":[{"kty":"RSA"}]}';

test("parseRequestAuthentication(): fills in Istio's defaults", () => {
  expect(parse({ jwtRules: [{ issuer, jwks }] })).toMatchObject({
    kind: "accepted",
    warnings: [],
    value: {
      scope: { kind: "namespace" },
      rules: [
        {
          issuer,
          audiences: [],
          keys: { kind: "inline", jwks },
          fromHeaders: [{ name: "authorization", prefix: "Bearer " }],
          fromParams: ["access_token"],
          fromCookies: [],
          outputPayloadToHeader: "",
          outputClaimToHeaders: [],
          forwardOriginalToken: false,
          timeoutMs: 5_000,
        },
      ],
    },
  });
});

test("parseRequestAuthentication(): reads every field", () => {
  const jwksUri = "https://a.example:8443/keys?x=1";
  const spec = {
    targetRefs: [{ kind: "Service", name: "api" }],
    jwtRules: [
      {
        issuer,
        audiences: ["shop"],
        jwksUri,
        fromHeaders: [{ name: "X-Token" }],
        fromCookies: ["session"],
        outputPayloadToHeader: "X-Payload",
        outputClaimToHeaders: [{ header: "X-Sub", claim: "a.b" }],
        forwardOriginalToken: true,
        timeout: "250ms",
      },
      { issuer },
    ],
  };
  expect(parse(spec)).toMatchObject({
    kind: "accepted",
    value: {
      scope: { kind: "services", names: ["api"] },
      rules: [
        {
          audiences: ["shop"],
          keys: { kind: "uri", uri: jwksUri },
          fromHeaders: [{ name: "x-token", prefix: "" }],
          fromParams: [],
          fromCookies: ["session"],
          outputPayloadToHeader: "x-payload",
          outputClaimToHeaders: [{ header: "x-sub", claim: ["a", "b"] }],
          forwardOriginalToken: true,
          timeoutMs: 250,
        },
        { keys: { kind: "discovered" } },
      ],
    },
  });
});

test("parseRequestAuthentication(): without rules nothing is taken, and nothing is refused", () => {
  for (const spec of [{}, { jwtRules: [] }, undefined]) {
    expect(parse(spec)).toMatchObject({ kind: "accepted", value: { rules: [] } });
  }
});

test("parseRequestAuthentication(): keys over plaintext get a warning", () => {
  const warned = parse({ jwtRules: [{ issuer, jwksUri: "http://keys.auth.svc/keys" }] });
  expect(warned).toMatchObject({ warnings: [{ field: "spec.jwtRules[0].jwksUri" }] });
});

test.each([
  ["no issuer", { jwks }, "issuer"],
  ["an empty issuer", { issuer: "", jwks }, "issuer"],
  ["jwks and jwksUri", { issuer, jwks, jwksUri: "https://a" }, "jwksUri"],
  ["an issuer that is no URL, without keys", { issuer: "accounts" }, ""],
  ["a file", { issuer, jwksUri: "file:///etc/passwd" }, "jwksUri"],
  ["credentials in the URL", { issuer, jwksUri: "https://a:b@c/" }, "jwksUri"],
  ["jwks that is no JSON", { issuer, jwks: "keys" }, "jwks"],
  ["jwks without keys", { issuer, jwks: "{}" }, "jwks"],
  ["jwks that is too long", { issuer, jwks: `{"keys":[]}${" ".repeat(65_536)}` }, "jwks"],
  ["an empty list", { issuer, jwks, audiences: [] }, "audiences"],
  [
    "a header with a space",
    { issuer, jwks, fromHeaders: [{ name: "a b" }] },
    "fromHeaders[0].name",
  ],
  ["a header without a name", { issuer, jwks, fromHeaders: [{}] }, "fromHeaders[0]"],
  ["writing Host", { issuer, jwks, outputPayloadToHeader: "Host" }, "outputPayloadToHeader"],
  [
    "writing Transfer-Encoding",
    { issuer, jwks, outputClaimToHeaders: [{ header: "Transfer-Encoding", claim: "a" }] },
    "outputClaimToHeaders[0].header",
  ],
  [
    "a claim with an empty part",
    { issuer, jwks, outputClaimToHeaders: [{ header: "x", claim: "a..b" }] },
    "outputClaimToHeaders[0].claim",
  ],
  ["a flag as text", { issuer, jwks, forwardOriginalToken: "yes" }, "forwardOriginalToken"],
  ["a timeout of hours", { issuer, jwks, timeout: "1h" }, "timeout"],
  ["a field that is not known", { issuer, jwks, jwks_uri: "x" }, "jwks_uri"],
])("parseRequestAuthentication(): %s is refused", (_, rule, field) => {
  const parsed = parse({ jwtRules: [rule] });
  expect(parsed).toMatchObject({
    kind: "refused",
    reasons: [{ field: field === "" ? "spec.jwtRules[0]" : `spec.jwtRules[0].${field}` }],
    present: { metadata: { name: "jwt" }, scope: { kind: "namespace" } },
  });
});
