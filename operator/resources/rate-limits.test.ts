import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseTrafficPolicy } from "./traffic-policy.ts";

const QUOTA = { fixedWindow: { requests: 5, window: "1m" } };

function parse(rateLimits: unknown) {
  return parseTrafficPolicy({
    apiVersion: "weft.dev/v1",
    kind: "TrafficPolicy",
    metadata: { namespace: "shop", name: "p" },
    spec: { targetRefs: [{ kind: "Service", name: "api" }], rateLimits },
  });
}

function parsed(limit: object) {
  const result = parse([{ name: "a", ...limit }]);
  return result.kind === "accepted" ? result.value.rateLimits : result.reasons;
}

test("parseRateLimits(): a limit that says no more than its quota is for everything together", () => {
  expect(parsed(QUOTA)).toEqual([
    {
      name: "a",
      servicePorts: [],
      pathPrefix: "",
      methods: [],
      hosts: [],
      headers: [],
      count: {
        kind: "local",
        by: { kind: "everybody" },
        quota: { kind: "fixed_window", requests: 5, windowMs: 60_000 },
      },
    },
  ]);
});

test("parseRateLimits(): every field", () => {
  const limit = {
    ports: [80, 8443],
    match: {
      pathPrefix: "/api/",
      methods: ["GET", "POST"],
      hosts: ["API.shop", "*.example.com"],
      headers: [{ name: "X-Route", value: "api v2" }],
    },
    by: { header: "X-Tenant" },
    slidingWindow: { requests: 1_000_000, window: "24h" },
  };
  expect(parsed(limit)).toEqual([
    {
      name: "a",
      servicePorts: [80, 8443],
      pathPrefix: "/api",
      methods: ["GET", "POST"],
      hosts: ["api.shop", "*.example.com"],
      headers: [["x-route", "api v2"]],
      count: {
        kind: "local",
        by: { kind: "header", name: "x-tenant" },
        quota: { kind: "sliding_window", requests: 1_000_000, windowMs: 86_400_000 },
      },
    },
  ]);
});

test.each([
  [{ by: { identity: true } }, { count: { by: { kind: "identity" } } }],
  [
    { by: { claim: ["org", "tenant"] } },
    { count: { by: { kind: "claim", path: ["org", "tenant"] } } },
  ],
  [{ match: { pathPrefix: "/" } }, { pathPrefix: "" }],
])("parseRateLimits(): %j", (part, expected) => {
  expect(parsed({ ...QUOTA, ...part })).toMatchObject([expected]);
});

test("parseRateLimits(): a bucket holds as many as flow in, if it does not say otherwise", () => {
  const bucket = { requests: 10, window: "1s" };
  expect(parsed({ tokenBucket: bucket })).toMatchObject([
    { count: { quota: { kind: "token_bucket", requests: 10, windowMs: 1000, burst: 10 } } },
  ]);
  expect(parsed({ tokenBucket: { ...bucket, burst: 50 } })).toMatchObject([
    { count: { quota: { burst: 50 } } },
  ]);
});

test.each<[object, string, string]>([
  [{}, "spec.rateLimits[0]", "exactly one of fixedWindow, slidingWindow, tokenBucket, global"],
  [
    { ...QUOTA, tokenBucket: { requests: 1, window: "1s" } },
    "spec.rateLimits[0]",
    "exactly one of",
  ],
  [{ ...QUOTA, name: "A b" }, "spec.rateLimits[0].name", "must be lower case"],
  [{ ...QUOTA, name: undefined }, "spec.rateLimits[0]", "name must be given"],
  [{ ...QUOTA, ports: ["80"] }, "spec.rateLimits[0].ports[0]", "must be a whole number"],
  [{ ...QUOTA, by: {} }, "spec.rateLimits[0].by", "exactly one of identity, header, claim"],
  [{ ...QUOTA, by: { identity: false } }, "spec.rateLimits[0].by.identity", "must be true"],
  [{ ...QUOTA, by: { header: "a b" } }, "spec.rateLimits[0].by.header", "name of a header"],
  [{ ...QUOTA, by: { claim: [] } }, "spec.rateLimits[0].by.claim", "must not be empty"],
  [{ ...QUOTA, by: { cookie: "a" } }, "spec.rateLimits[0].by.cookie", "unknown field"],
  [
    { ...QUOTA, match: { pathPrefix: "api" } },
    "spec.rateLimits[0].match.pathPrefix",
    "begins with /",
  ],
  [
    { ...QUOTA, match: { pathPrefix: "/a?b" } },
    "spec.rateLimits[0].match.pathPrefix",
    "without query",
  ],
  [
    { ...QUOTA, match: { methods: ["get"] } },
    "spec.rateLimits[0].match.methods[0]",
    "must be a method",
  ],
  [{ ...QUOTA, match: [] }, "spec.rateLimits[0].match", "must be an object"],
  [{ ...QUOTA, match: { hosts: ["api:80"] } }, "spec.rateLimits[0].match.hosts[0]", "without port"],
  [
    { ...QUOTA, match: { headers: [{ name: "a" }] } },
    "spec.rateLimits[0].match.headers[0]",
    "name and value must be given",
  ],
  [
    { ...QUOTA, match: { headers: [{ name: "a", value: " b" }] } },
    "spec.rateLimits[0].match.headers[0].value",
    "without white space around it",
  ],
  [
    { fixedWindow: { requests: 0, window: "1m" } },
    "spec.rateLimits[0].fixedWindow.requests",
    "whole number from 1",
  ],
  [{ fixedWindow: { window: "1m" } }, "spec.rateLimits[0].fixedWindow", "requests must be given"],
  [{ fixedWindow: { requests: 1 } }, "spec.rateLimits[0].fixedWindow", "window must be given"],
  [
    { fixedWindow: { requests: 1, window: "999ms" } },
    "spec.rateLimits[0].fixedWindow.window",
    "must be from 1000ms",
  ],
  [
    { fixedWindow: { requests: 1, window: "25h" } },
    "spec.rateLimits[0].fixedWindow.window",
    "at most 24h",
  ],
  [
    { fixedWindow: { requests: 1, window: "1m", burst: 2 } },
    "spec.rateLimits[0].fixedWindow.burst",
    "unknown field",
  ],
])("parseRateLimits(): %j is refused with the field", (limit, field, message) => {
  expect(parsed(limit)).toContainEqual({ field, message: expect.stringContaining(message) });
});

const DESCRIPTOR = [
  { key: "service", value: "orders" },
  { key: "who", identity: true },
  { key: "tenant", header: "X-Tenant" },
  { key: "org", claim: ["org"] },
  { key: "method", method: true },
  { key: "path", path: true },
  { key: "remote_address", remoteAddress: true },
];

test("parseRateLimits(): a global limit, with every value of a descriptor", () => {
  expect(parsed({ global: { descriptor: DESCRIPTOR } })).toMatchObject([
    {
      count: {
        kind: "global",
        entries: [
          { key: "service", value: { kind: "text", text: "orders" } },
          { key: "who", value: { kind: "identity" } },
          { key: "tenant", value: { kind: "header", name: "x-tenant" } },
          { key: "org", value: { kind: "claim", path: ["org"] } },
          { key: "method", value: { kind: "method" } },
          { key: "path", value: { kind: "path" } },
          { key: "remote_address", value: { kind: "remoteAddress" } },
        ],
      },
    },
  ]);
});

const ONE_OF = "exactly one of value, identity, header, claim, method, path, remoteAddress";

test.each<[object, string, string]>([
  [{ global: {} }, "", "descriptor must be given"],
  [{ global: { descriptor: [] } }, ".descriptor", "must not be empty"],
  [{ global: { descriptor: [{ value: "a" }] } }, ".descriptor[0]", "key must be given"],
  [{ global: { descriptor: [{ key: "a b", value: "a" }] } }, ".descriptor[0].key", "white space"],
  [{ global: { descriptor: [{ key: "a" }] } }, ".descriptor[0]", ONE_OF],
  [{ global: { descriptor: [{ key: "a", path: true, method: true }] } }, ".descriptor[0]", ONE_OF],
  [{ global: { descriptor: [{ key: "a", path: "/x" }] } }, ".descriptor[0].path", "must be true"],
  [{ global: { descriptor: [{ key: "a", value: " " }] } }, ".descriptor[0].value", "one line"],
  [{ global: { descriptor: [...DESCRIPTOR, ...DESCRIPTOR, ...DESCRIPTOR] } }, "", "at most 16"],
  [{ global: { descriptor: DESCRIPTOR, rate: 1 } }, ".rate", "unknown field"],
])("parseRateLimits(): %j is refused with the field", (limit, field, message) => {
  const at = `spec.rateLimits[0].global${field}`;
  expect(parsed(limit)).toContainEqual({ field: at, message: expect.stringContaining(message) });
});

test("parseRateLimits(): a global limit has no quota and no key of its own", () => {
  const limit = { global: { descriptor: DESCRIPTOR } };
  expect(parsed({ ...limit, ...QUOTA })).toMatchObject([
    { field: "spec.rateLimits[0]", message: expect.stringContaining("exactly one of") },
  ]);
  expect(parsed({ ...limit, by: { identity: true } })).toMatchObject([
    { field: "spec.rateLimits[0].by", message: expect.stringContaining("is not for global") },
  ]);
});

test("parseRateLimits(): names tell limits apart, and there are at most 16", () => {
  const limits = Array.from({ length: 17 }, (_, i) => ({ name: `l${i % 16}`, ...QUOTA }));
  expect(parse(limits)).toMatchObject({
    reasons: [
      { field: "spec.rateLimits", message: "must be at most 16" },
      { field: "spec.rateLimits", message: "each must have a name of its own" },
    ],
  });
});

test("parseRateLimits(): answers anything without throwing", () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (by, quota) => {
      const kinds = [
        parse(by).kind,
        parse([{ name: "a", by, fixedWindow: quota }]).kind,
        parse([{ name: "a", global: quota }]).kind,
        parse([{ name: "a", global: { descriptor: [quota] } }]).kind,
      ];
      for (const kind of kinds) expect(["accepted", "refused"]).toContain(kind);
    }),
  );
});
