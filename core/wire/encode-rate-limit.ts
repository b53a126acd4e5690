/** Rate limits of an enrolment as protobuf. Total: every value of the model has a form on the wire. */
import { create } from "@bufbuild/protobuf";
import type { RateCount, RateEntryValue, RateKey, RateLimit } from "../model/rate-limit.ts";
import { RATE_QUOTA_KINDS } from "./enum-table.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

export function encodeRateLimit(limit: RateLimit): wire.RateLimit {
  const { count, ports, methods, hosts, headers, ...rest } = limit;
  return create(wire.RateLimitSchema, {
    ...rest,
    ports: [...ports],
    methods: [...methods],
    hosts: [...hosts],
    headers: headers.map(([name, value]) => create(wire.HttpHeaderSchema, { name, value })),
    ...encodeCount(count),
  });
}

function encodeCount(count: RateCount) {
  if (count.kind === "global") {
    const entries = count.entries.map(({ key, value }) =>
      create(wire.RateEntrySchema, { key, value: encodeValue(value) }),
    );
    return { entries };
  }
  const { by, quota } = count;
  const { requests, windowMs } = quota;
  const burst = quota.kind === "token_bucket" ? quota.burst : 0;
  return { by: encodeKey(by), kind: RATE_QUOTA_KINDS[quota.kind], requests, windowMs, burst };
}

function encodeValue(value: RateEntryValue): wire.RateEntry["value"] {
  switch (value.kind) {
    case "text":
      return { case: "text", value: value.text };
    case "identity":
    case "method":
    case "path":
    case "remoteAddress":
      return { case: value.kind, value: true };
    case "header":
      return { case: "header", value: value.name };
    case "claim":
      return encodeClaim(value.path);
  }
}

function encodeKey(by: RateKey): wire.RateLimit["by"] {
  switch (by.kind) {
    case "everybody":
    case "identity":
      return { case: by.kind, value: true };
    case "header":
      return { case: "header", value: by.name };
    case "claim":
      return encodeClaim(by.path);
  }
}

function encodeClaim(path: readonly string[]) {
  const value = create(wire.ClaimPathSchema, { names: [...path] });
  return { case: "claim" as const, value };
}
