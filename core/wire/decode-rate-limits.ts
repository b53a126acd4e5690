/** Rate limits of an enrolment from protobuf. */
import type { Enrolment } from "../model/enrolment.ts";
import {
  MAX_RATE_REQUESTS,
  MAX_RATE_WINDOW_MS,
  MIN_RATE_WINDOW_MS,
  type RateCount,
  type RateEntry,
  type RateEntryValue,
  type RateKey,
  type RateLimit,
  type RateQuota,
} from "../model/rate-limit.ts";
import { RATE_QUOTA_KINDS } from "./enum-table.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

/** A part of the enrolment: absent where there are none. */
export function decodeRateLimits(
  limits: readonly wire.RateLimit[],
  findings: Findings,
): Pick<Enrolment, "rateLimits"> {
  return limits.length === 0
    ? {}
    : { rateLimits: limits.map((limit) => decodeRateLimit(limit, findings)) };
}

function decodeRateLimit(limit: wire.RateLimit, findings: Findings): RateLimit {
  const { ports, methods, hosts, headers } = limit;
  return {
    policy: findings.name("rateLimits.policy", limit.policy),
    name: findings.name("rateLimits.name", limit.name),
    ports: ports.map((port) => findings.port("rateLimits.ports", port)),
    pathPrefix: findings.text("rateLimits.pathPrefix", limit.pathPrefix),
    methods: methods.map((method) => findings.name("rateLimits.methods", method)),
    hosts: hosts.map((host) => findings.name("rateLimits.hosts", host)),
    headers: headers.map(({ name, value }) => [
      findings.name("rateLimits.headers", name),
      findings.text("rateLimits.headers", value),
    ]),
    count: decodeCount(limit, findings),
  };
}

function decodeCount(limit: wire.RateLimit, findings: Findings): RateCount {
  const { entries } = limit;
  return entries.length === 0
    ? { kind: "local", by: decodeKey(limit.by, findings), quota: decodeQuota(limit, findings) }
    : { kind: "global", entries: entries.map((entry) => decodeEntry(entry, findings)) };
}

function decodeEntry({ key, value }: wire.RateEntry, findings: Findings): RateEntry {
  return { key: findings.name("rateLimits.entries", key), value: decodeValue(value, findings) };
}

function decodeValue(value: wire.RateEntry["value"], findings: Findings): RateEntryValue {
  switch (value.case) {
    case "text":
      return { kind: "text", text: findings.text("rateLimits.entries", value.value) };
    case "identity":
    case "method":
    case "path":
    case "remoteAddress":
      return { kind: value.case };
    case "header":
      return { kind: "header", name: findings.name("rateLimits.header", value.value) };
    case "claim":
      return decodeClaim(value.value, findings);
    case undefined:
      findings.add("rateLimits.entries: of no known kind");
      return { kind: "text", text: "" };
  }
}

function decodeKey(by: wire.RateLimit["by"], findings: Findings): RateKey {
  switch (by.case) {
    case "everybody":
    case "identity":
      return { kind: by.case };
    case "header":
      return { kind: "header", name: findings.name("rateLimits.header", by.value) };
    case "claim":
      return decodeClaim(by.value, findings);
    case undefined:
      findings.add("rateLimits.by: of no known kind");
      return { kind: "everybody" };
  }
}

function decodeClaim({ names }: wire.ClaimPath, findings: Findings) {
  const path = names.map((name) => findings.text("rateLimits.claim", name));
  if (path.length === 0) findings.add("rateLimits.claim: missing");
  return { kind: "claim" as const, path };
}

function decodeQuota(limit: wire.RateLimit, findings: Findings): RateQuota {
  const kind = findings.member("rateLimits.kind", RATE_QUOTA_KINDS, limit.kind);
  const count = [1, MAX_RATE_REQUESTS] as const;
  const requests = findings.integer("rateLimits.requests", limit.requests, count);
  const span = [MIN_RATE_WINDOW_MS, MAX_RATE_WINDOW_MS] as const;
  const windowMs = findings.integer("rateLimits.windowMs", limit.windowMs, span);
  if (kind !== "token_bucket") return { kind, requests, windowMs };
  const burst = findings.integer("rateLimits.burst", limit.burst, count);
  return { kind, requests, windowMs, burst };
}
