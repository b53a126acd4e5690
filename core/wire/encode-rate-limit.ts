/** Rate limits of an enrolment as protobuf. Total: every value of the model has a form on the wire. */
import { create } from "@bufbuild/protobuf";
import type { RateKey, RateLimit } from "../model/rate-limit.ts";
import { RATE_QUOTA_KINDS } from "./enum-table.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

export function encodeRateLimit(limit: RateLimit): wire.RateLimit {
  const { by, quota, ports, methods, hosts, headers, ...rest } = limit;
  return create(wire.RateLimitSchema, {
    ...rest,
    ports: [...ports],
    methods: [...methods],
    hosts: [...hosts],
    headers: headers.map(([name, value]) => create(wire.HttpHeaderSchema, { name, value })),
    by: encodeKey(by),
    kind: RATE_QUOTA_KINDS[quota.kind],
    requests: quota.requests,
    windowMs: quota.windowMs,
    burst: quota.kind === "token_bucket" ? quota.burst : 0,
  });
}

function encodeKey(by: RateKey): wire.RateLimit["by"] {
  switch (by.kind) {
    case "everybody":
    case "identity":
      return { case: by.kind, value: true };
    case "header":
      return { case: "header", value: by.name };
    case "claim":
      return { case: "claim", value: create(wire.ClaimPathSchema, { names: [...by.path] }) };
  }
}
