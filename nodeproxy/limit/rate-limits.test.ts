import { expect, test } from "@jest/globals";
import type { RateEntryValue, RateKey, RateLimit, RateQuota } from "../../core/model/rate-limit.ts";
import type { Claims } from "../authz/attempt.ts";
import { MAX_KEYS } from "./keyed-meters.ts";
import { limitFields } from "./limit-fields.ts";
import { LocalMeters } from "./meters.ts";
import { type Admission, RateLimits } from "./rate-limits.ts";

const WINDOW_MS = 60_000;

const QUOTA: RateQuota = { kind: "fixed_window", requests: 1, windowMs: WINDOW_MS };

interface LocalPart extends Partial<RateLimit> {
  readonly by?: RateKey;
  readonly quota?: RateQuota;
}

function limit({ by = { kind: "everybody" }, quota = QUOTA, ...part }: LocalPart = {}): RateLimit {
  return {
    policy: "shop/api",
    name: "all",
    ports: [8080],
    pathPrefix: "",
    methods: [],
    hosts: [],
    headers: [],
    count: { kind: "local", by, quota },
    ...part,
  };
}

interface Asked {
  readonly port?: number;
  readonly caller?: string;
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly claims?: Claims;
}

function request({
  port = 8080,
  caller = "",
  method = "GET",
  path = "/",
  host = "api",
  headers = {},
  claims,
}: Asked) {
  const lines = new Map(Object.entries(headers).map(([name, value]) => [name, [value]] as const));
  const http = { method, path, host, headers: lines, ...(claims ? { claims } : {}) };
  return { port, caller, remoteIp: [10, 0, 0, 1], http };
}

/** The names of the limits that refuse each request, one after the other at one time; "" where it passes. */
function refusals(limits: readonly RateLimit[], ...asked: readonly Asked[]): readonly string[] {
  const counted = new RateLimits(new LocalMeters());
  return asked.map((each) => refusers(counted.admit(limits, request(each), 0)));
}

function refusers({ isRefused, applied }: Admission): string {
  const full = applied.filter(({ waitMs }) => waitMs > 0).map((one) => one.name);
  expect(isRefused).toBe(full.length > 0);
  return full.join();
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
  const counted = new RateLimits(new LocalMeters());
  function names(limits: readonly RateLimit[]): string {
    return refusers(counted.admit(limits, request({}), 0));
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
  const counted = new RateLimits(new LocalMeters());
  function isRefused(caller: string): boolean {
    return counted.admit(limits, request({ caller }), 0).isRefused;
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

test("RateLimits: only requests to the hosts that it names, however they are written", () => {
  const limits = [limit({ hosts: ["api.shop", "*.example.com"] })];
  const hosts = ["api.shop", "API.shop:8080", "api.shop.", "shop", "api.shop.svc", "example.com"];
  const asked = hosts.map((host) => ({ host }));
  expect(refusals(limits, ...asked)).toEqual(["", "all", "all", "", "", ""]);
  const wide = ["a.example.com", "b.a.example.com:80", "[fd00::1]:80"].map((host) => ({ host }));
  expect(refusals(limits, ...wide)).toEqual(["", "all", ""]);
});

test("RateLimits: only requests with every header that it names, as one value", () => {
  const limits = [
    limit({
      headers: [
        ["x-route", "v2"],
        ["x-tenant", "blue"],
      ],
    }),
  ];
  const asked = [
    { "x-route": "v2", "x-tenant": "blue" },
    { "x-route": "v2", "x-tenant": "red" },
    { "x-route": "v2" },
    {},
    { "x-route": "v2", "x-tenant": "blue", more: "1" },
  ].map((headers) => ({ headers }));
  expect(refusals(limits, ...asked)).toEqual(["", "", "", "", "all"]);
});

test("limitFields(): which limits, how much they take and have left, and when to come again", () => {
  const all = { name: "all", requests: 1, windowMs: 60_000 };
  const caller = { name: "per-caller", requests: 10, windowMs: 60_000 };
  const policies = '"all";q=1;w=60, "per-caller";q=10;w=60';
  const full = { ...all, waitMs: 1, left: 0, moreMs: 1 };
  const other = { ...caller, waitMs: 2001, left: 0, moreMs: 2001 };
  expect(limitFields({ isRefused: true, applied: [full, other] })).toEqual([
    "retry-after",
    "3",
    "ratelimit-policy",
    policies,
    "ratelimit",
    '"all";r=0;t=1, "per-caller";r=0;t=3',
  ]);
  const roomy = { ...caller, waitMs: 0, left: 20, moreMs: 0 };
  expect(limitFields({ isRefused: false, applied: [{ ...full, waitMs: 0 }, roomy] })).toEqual([
    "ratelimit-policy",
    policies,
    "ratelimit",
    '"all";r=0;t=1, "per-caller";r=20',
  ]);
  expect(limitFields({ isRefused: false, applied: [] })).toEqual([]);
});

function global(name: string, values: readonly RateEntryValue[]): RateLimit {
  const entries = values.map((value, i) => ({ key: `k${i}`, value }));
  return limit({ name, count: { kind: "global", entries } });
}

/** What the rate limit service is to be asked about each of them. */
function elsewhere(limits: readonly RateLimit[], ...asked: readonly Asked[]) {
  const counted = new RateLimits(new LocalMeters());
  return asked.map((each) => counted.admit(limits, request(each), 0).elsewhere);
}

test("RateLimits: what is counted elsewhere is asked with what the request has, and a dash for what it lacks", () => {
  const values: readonly RateEntryValue[] = [
    { kind: "text", text: "orders" },
    { kind: "identity" },
    { kind: "header", name: "x-tenant" },
    { kind: "claim", path: ["org"] },
    { kind: "method" },
    { kind: "path" },
    { kind: "remoteAddress" },
  ];
  const full = { caller: "spiffe://a", headers: { "x-tenant": "blue" }, claims: { org: "o" } };
  const [[first] = [], [second] = []] = elsewhere([global("g", values)], full, {});
  expect(first).toEqual({
    name: "g",
    entries: [
      ["k0", "orders"],
      ["k1", "spiffe://a"],
      ["k2", "blue"],
      ["k3", "o"],
      ["k4", "GET"],
      ["k5", "/"],
      ["k6", "10.0.0.1"],
    ],
  });
  expect(second?.entries.slice(1, 4)).toEqual([
    ["k1", "-"],
    ["k2", "-"],
    ["k3", "-"],
  ]);
});

test("RateLimits: only limits about the request are asked elsewhere, and none of one that is refused here", () => {
  const text = { kind: "text", text: "t" } as const;
  const other = { ...global("other", [text]), pathPrefix: "/other" };
  const limits = [limit(), global("one", [text]), other, global("two", [text])];
  const names = elsewhere(limits, {}, {}).map((all) => all.map(({ name }) => name));
  expect(names).toEqual([["one", "two"], []]);
});

test("RateLimits: what is counted elsewhere alone is not counted here", () => {
  expect(refusals([global("one", [{ kind: "method" }])], {}, {})).toEqual(["", ""]);
});
