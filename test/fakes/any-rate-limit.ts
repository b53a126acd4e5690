/** Any rate limit that a node proxy may be told of. */
import fc from "fast-check";
import type { RateCount, RateLimit } from "../../core/model/rate-limit.ts";

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);

const quota = {
  requests: fc.integer({ min: 1, max: 1_000_000 }),
  windowMs: fc.integer({ min: 1000, max: 86_400_000 }),
};

const header = fc.record({ kind: fc.constant("header" as const), name: label });
const claim = fc.record({
  kind: fc.constant("claim" as const),
  path: fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
});

const local: fc.Arbitrary<RateCount> = fc.record({
  kind: fc.constant("local" as const),
  by: fc.oneof(
    fc.record({ kind: fc.constantFrom("everybody" as const, "identity" as const) }),
    header,
    claim,
  ),
  quota: fc.oneof(
    fc.record({
      kind: fc.constantFrom("fixed_window" as const, "sliding_window" as const),
      ...quota,
    }),
    fc.record({
      kind: fc.constant("token_bucket" as const),
      ...quota,
      burst: fc.integer({ min: 1, max: 1_000_000 }),
    }),
  ),
});

const entry = fc.record({
  key: label,
  value: fc.oneof(
    fc.record({ kind: fc.constant("text" as const), text: fc.string() }),
    fc.record({ kind: fc.constantFrom("identity", "method", "path", "remoteAddress") }),
    header,
    claim,
  ),
});

const global: fc.Arbitrary<RateCount> = fc.record({
  kind: fc.constant("global" as const),
  entries: fc.array(entry, { minLength: 1, maxLength: 4 }),
});

export const anyRateLimit: fc.Arbitrary<RateLimit> = fc.record({
  policy: label.map((name) => `shop/${name}`),
  name: label,
  ports: fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 4 }),
  pathPrefix: fc.constantFrom("", "/api"),
  methods: fc.subarray(["GET", "POST"]),
  hosts: fc.subarray(["api.shop", "*.example.com"]),
  headers: fc.array(fc.tuple(label, label), { maxLength: 2 }),
  count: fc.oneof(local, global),
});
