import { expect, test } from "@jest/globals";
import type { CorsFilter } from "../../../core/model/http-route.ts";
import type { FieldLines, RequestHead } from "../message.ts";
import { compileCors } from "./cors.ts";
import { compileOrigins } from "./origin-pattern.ts";

const FILTER: CorsFilter = {
  kind: "cors",
  origins: ["https://app.example"],
  credentials: false,
  methods: [],
  requestHeaders: [],
  exposeHeaders: [],
  maxAgeSeconds: 5,
};

function request(method: string, fields: FieldLines): RequestHead {
  const target = { scheme: "http", authority: "echo", path: "/", query: "" };
  return { method, ...target, fields, upgrade: "", version: "1.1" };
}

const ORIGIN = ["origin", "https://app.example"];
const ASKING = [...ORIGIN, "access-control-request-method", "PUT"];

function preflight(filter: Partial<CorsFilter>, fields: FieldLines): FieldLines | undefined {
  return compileCors({ ...FILTER, ...filter }).preflight(request("OPTIONS", fields));
}

function told(filter: Partial<CorsFilter>, fields: FieldLines, response: FieldLines): FieldLines {
  const change = compileCors({ ...FILTER, ...filter }).responseTo(request("GET", fields));
  return change({ status: 200, fields: response }).fields;
}

test.each([
  [["*"], "https://any.example", true],
  [["*"], "null", true],
  [["https://app.example"], "https://app.example", true],
  [["https://app.example"], "https://app.example:443", true],
  [["https://app.example:443"], "https://app.example", true],
  [["http://app.example"], "http://app.example:80", true],
  [["HTTPS://App.Example"], "https://app.example", true],
  [["https://app.example"], "http://app.example", false],
  [["https://app.example"], "https://app.example:8443", false],
  [["https://app.example"], "https://other.example", false],
  [["https://app.example"], "null", false],
  [["https://app.example"], "https://app.example.evil", false],
  [["https://app.example"], "https://app.example/x", false],
  [["https://*.app.example"], "https://a.app.example", true],
  [["https://*.app.example"], "https://a.b.app.example", true],
  [["https://*.app.example"], "https://app.example", false],
  [["https://*.app.example"], "https://.app.example", false],
  [["https://*.app.example"], "https://evilapp.example", false],
  [["https://*.app.example"], "https://user@x.app.example", false],
  [["https://*"], "https://any.example", true],
  [["https://*"], "http://any.example", false],
  [["https://*:8443"], "https://any.example:8443", true],
  [["https://*:8443"], "https://any.example", false],
  [["https://a*b*c.example"], "https://a1b2c.example", true],
  [["https://a*b*c.example"], "https://a1c.example", false],
  [["https://a*b*c.example"], "https://abc.example", false],
  [["http://[::1]:80"], "http://[::1]", true],
  [["https://one.example", "https://two.example"], "https://two.example", true],
  [[], "https://app.example", false],
  [["app.example"], "app.example", false],
] as const)("compileOrigins(): %j and %s: %s", (patterns, origin, expected) => {
  expect(compileOrigins(patterns)(origin)).toBe(expected);
});

test("compileCors(): only OPTIONS with an origin that asks for a method is a preflight", () => {
  const cors = compileCors(FILTER);
  expect(cors.preflight(request("GET", ASKING))).toBeUndefined();
  expect(cors.preflight(request("OPTIONS", ORIGIN))).toBeUndefined();
  expect(
    cors.preflight(request("OPTIONS", ["access-control-request-method", "PUT"])),
  ).toBeUndefined();
  expect(cors.preflight(request("OPTIONS", ASKING))).toBeDefined();
});

test("compileCors(): a preflight is told what the filter lists", () => {
  const filter = { methods: ["GET", "PUT"], requestHeaders: ["X-A", "X-B"], maxAgeSeconds: 600 };
  expect(preflight(filter, ASKING)).toEqual(
    [
      ["access-control-allow-origin", "https://app.example"],
      ["access-control-allow-methods", "GET, PUT"],
      ["access-control-allow-headers", "X-A, X-B"],
      ["access-control-max-age", "600"],
      ["vary", "origin"],
    ].flat(),
  );
});

test("compileCors(): a preflight of another origin is told nothing", () => {
  const filter = { methods: ["PUT"], credentials: true };
  const fields = ["origin", "https://evil.example", "access-control-request-method", "PUT"];
  expect(preflight(filter, fields)).toEqual(["vary", "origin"]);
});

const ALL = { origins: ["*"], methods: ["*"], requestHeaders: ["*"], exposeHeaders: ["*"] };

test("compileCors(): wildcards go out as they are where no credentials are allowed", () => {
  expect(preflight(ALL, ASKING)).toEqual(
    [
      ["access-control-allow-origin", "*"],
      ["access-control-allow-methods", "*"],
      ["access-control-allow-headers", "*"],
      ["access-control-max-age", "5"],
    ].flat(),
  );
  expect(told(ALL, ORIGIN, [])).toEqual(
    [
      ["access-control-allow-origin", "*"],
      ["access-control-expose-headers", "*"],
    ].flat(),
  );
});

test("compileCors(): with credentials what was asked for stands in place of wildcards", () => {
  const filter = { ...ALL, credentials: true };
  const common = [
    ["access-control-allow-origin", "https://app.example"],
    ["access-control-allow-credentials", "true"],
  ].flat();
  expect(preflight(filter, [...ASKING, "access-control-request-headers", "x-a,x-b"])).toEqual(
    [
      ...common,
      ["access-control-allow-methods", "PUT"],
      ["access-control-allow-headers", "x-a,x-b"],
      ["access-control-max-age", "5"],
      ["vary", "origin"],
    ].flat(),
  );
  expect(preflight(filter, ASKING)).not.toContain("access-control-allow-headers");
  expect(told(filter, ORIGIN, ["x-a", "1", "set-cookie", "b=2"])).toEqual(
    [
      ["x-a", "1", "set-cookie", "b=2", "vary", "origin"],
      ...common,
      ["access-control-expose-headers", "x-a, vary"],
    ].flat(),
  );
});

// Gateway API, HTTPRouteCORSAllowCredentialsBehavior.
test("compileCors(): credentials are spoken of to allowed origins alone, and only where allowed", () => {
  const asked = [...ORIGIN, "cookie", "sid=abc123"];
  const allowed = ["access-control-allow-origin", "https://app.example"];
  expect(told({}, asked, [])).toEqual(["vary", "origin", ...allowed]);
  expect(told({ credentials: true }, ["origin", "http://not-app.example"], [])).toEqual([
    "vary",
    "origin",
  ]);
  expect(told({ credentials: true }, asked, [])).toEqual([
    "vary",
    "origin",
    ...allowed,
    "access-control-allow-credentials",
    "true",
  ]);
});

test("compileCors(): the backend's own words give way, and its Vary is added to once", () => {
  const own = ["access-control-allow-origin", "*", "vary", "Accept, Origin", "x-a", "1"];
  expect(told({ exposeHeaders: ["x-a"] }, ORIGIN, own)).toEqual(
    [
      ["vary", "Accept, Origin", "x-a", "1"],
      ["access-control-allow-origin", "https://app.example"],
      ["access-control-expose-headers", "x-a"],
    ].flat(),
  );
  expect(told({}, [], ["vary", "accept-origin"])).toEqual([
    "vary",
    "accept-origin",
    "vary",
    "origin",
  ]);
});
