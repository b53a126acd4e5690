import { expect, test } from "@jest/globals";
import type { RateLimit } from "../../core/model/rate-limit.ts";
import type { Claims } from "../authz/attempt.ts";
import { MAX_KEYS } from "./keyed-meters.ts";
import { limitFields } from "./limit-fields.ts";
import { RateLimits } from "./rate-limits.ts";

const WINDOW_MS = 60_000;

function limit(part: Partial<RateLimit> = {}): RateLimit {
  return {
    policy: "shop/api",
    name: "all",
    ports: [8080],
    pathPrefix: "",
    methods: [],
    by: { kind: "everybody" },
    quota: { kind: "fixed_window", requests: 1, windowMs: WINDOW_MS },
    ...part,
  };
}

interface Asked {
  readonly port?: number;
  readonly caller?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly claims?: Claims;
}

function request({
  port = 8080,
  caller = "",
  method = "GET",
  path = "/",
  headers = {},
  claims,
}: Asked) {
  const lines = new Map(Object.entries(headers).map(([name, value]) => [name, [value]] as const));
  const http = { method, path, host: "api", headers: lines, ...(claims ? { claims } : {}) };
  return { port, caller, http };
}

/** The names of the limits that refuse each request, one after the other at one time; "" where it passes. */
function refusals(limits: readonly RateLimit[], ...asked: readonly Asked[]): readonly string[] {
  const counted = new RateLimits();
  return asked.map((each) =>
    counted
      .exceeded(limits, request(each), 0)
      .map((one) => one.limit.name)
      .join(),
  );
}

test("RateLimits: everybody together, on the ports that it names", () => {
  const asked = [{ caller: "a" }, { caller: "b" }, { port: 9090 }];
  expect(refusals([limit()], ...asked)).toEqual(["", "all", ""]);
});

test("RateLimits: each identity by itself, and those without one together", () => {
  const asked = [{ caller: "a" }, { caller: "b" }, { caller: "a" }, {}, {}];
  const limits = [limit({ by: { kind: "identity" } })];
  expect(refusals(limits, ...asked)).toEqual(["", "", "all", "", "all"]);
});

test("RateLimits: each value of a header, and those without it together", () => {
  function of(value: string): Asked {
    return { headers: { "x-tenant": value } };
  }
  const asked = [of("blue"), of("red"), of("blue"), {}, {}, of("")];
  const limits = [limit({ by: { kind: "header", name: "x-tenant" } })];
  expect(refusals(limits, ...asked)).toEqual(["", "", "all", "", "all", "all"]);
});

test("RateLimits: each value of a claim, and those without a token together", () => {
  function of(tenant: string): Asked {
    return { claims: { org: { tenant } } };
  }
  const asked = [of("blue"), of("red"), of("blue"), {}, { claims: { org: "blue" } }];
  const limits = [limit({ by: { kind: "claim", path: ["org", "tenant"] } })];
  expect(refusals(limits, ...asked)).toEqual(["", "", "all", "", "all"]);
});

test("RateLimits: only requests whose path and method it names, by whole segments", () => {
  const asked = ["/api", "/apis", "/", "/api/", "/api/x"].map((path) => ({ path }));
  expect(refusals([limit({ pathPrefix: "/api" })], ...asked)).toEqual(["", "", "", "all", "all"]);
  const methods = ["GET", "POST", "PUT", "POST"].map((method) => ({ method }));
  expect(refusals([limit({ methods: ["POST", "PUT"] })], ...methods)).toEqual([
    "",
    "",
    "all",
    "all",
  ]);
});

test("RateLimits: what one limit refuses is not counted by the others", () => {
  const quota = { kind: "fixed_window", requests: 2, windowMs: WINDOW_MS } as const;
  const limits = [limit({ by: { kind: "identity" } }), limit({ name: "wide", quota })];
  const asked = [{ caller: "a" }, { caller: "a" }, { caller: "b" }, { caller: "c" }];
  expect(refusals(limits, ...asked)).toEqual(["", "all", "", "wide"]);
});

test("RateLimits: a limit that stays goes on counting where others change, and one that changes begins anew", () => {
  const counted = new RateLimits();
  function names(limits: readonly RateLimit[]): string {
    return counted
      .exceeded(limits, request({}), 0)
      .map((one) => one.limit.name)
      .join();
  }
  const other = limit({ name: "other", ports: [9090] });
  expect(names([limit()])).toBe("");
  expect(names([other, limit({ pathPrefix: "" })])).toBe("all");
  const quota = { kind: "fixed_window", requests: 2, windowMs: WINDOW_MS } as const;
  expect(names([limit({ quota })])).toBe("");
  expect(names([])).toBe("");
});

test("RateLimits: beyond so many keys the one that was away longest is forgotten", () => {
  const limits = [limit({ by: { kind: "identity" } })];
  const counted = new RateLimits();
  function isRefused(caller: string): boolean {
    return counted.exceeded(limits, request({ caller }), 0).length > 0;
  }
  expect(isRefused("first")).toBe(false);
  for (let i = 0; i < MAX_KEYS - 1; i += 1) isRefused(`c${i}`);
  expect(isRefused("first")).toBe(true);
  expect(isRefused("one more")).toBe(false);
  expect(isRefused("first")).toBe(true);
  expect(isRefused("c0")).toBe(false);
});

test("RateLimits: values that are longer than a key count by their beginning", () => {
  const limits = [limit({ by: { kind: "header", name: "x" } })];
  const long = "v".repeat(256);
  const asked = [`${long}1`, `${long}2`, "v"].map((x) => ({ headers: { x } }));
  expect(refusals(limits, ...asked)).toEqual(["", "all", ""]);
});

test("limitFields(): which limits, how much they take, and when to come again", () => {
  const bucket = { kind: "token_bucket", requests: 10, windowMs: 60_000, burst: 20 } as const;
  const exceeded = [
    { limit: limit(), waitMs: 1 },
    { limit: limit({ name: "per-caller", quota: bucket }), waitMs: 2001 },
  ];
  expect(limitFields(exceeded)).toEqual([
    "retry-after",
    "3",
    "ratelimit-policy",
    '"all";q=1;w=60, "per-caller";q=10;w=60',
    "ratelimit",
    '"all";r=0;t=1, "per-caller";r=0;t=3',
  ]);
});
