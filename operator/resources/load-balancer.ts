/**
 * Reads `loadBalancer` of a TrafficPolicy: which endpoint is next, what is hashed where that decides, and which zones stand
 * in for one another. Fields are those of Istio's DestinationRule where it has them.
 */
import type { FailoverStep, HashOn } from "../../core/model/http-settings.ts";
import type { BalanceAlgorithm } from "../../core/model/service.ts";
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import { type Field, isObjectOf, items, member, oneOf, refuse, text } from "./fields.ts";
import { missing, requiredText, tokenIn } from "./gateway-fields.ts";
import { durationMember, integerMember, objectMember, onlyMember } from "./members.ts";

export interface LoadBalancer {
  /** `undefined`: the Service's own. */
  readonly algorithm: BalanceAlgorithm | undefined;
  readonly maglevTableSize: number;
  readonly warmupMs: number;
  readonly warmupMinimumPercent: number;
  readonly hashOn: HashOn;
  readonly failover: readonly FailoverStep[];
}

/** Istio's names where it has the algorithm. */
const SIMPLE = {
  ROUND_ROBIN: "round_robin",
  LEAST_RECENTLY_USED: "least_recently_used",
  RANDOM: "random",
  WEIGHTED_ROUND_ROBIN: "weighted_round_robin",
  LEAST_REQUEST: "least_request",
  PEAK_EWMA: "peak_ewma",
} as const;
const SIMPLE_NAMES = Object.keys(SIMPLE) as (keyof typeof SIMPLE)[];
const FIELDS = ["simple", "consistentHash", "warmup", "localityLbSetting"];
const KEYS = ["useSourceIp", "httpHeaderName", "httpCookie", "httpQueryParameterName"] as const;
/** Istio: "The table size must be prime number less than 5000011." */
const MAX_TABLE = 5_000_010;
const MAX_STEPS = 64;
/** The value of a label, as `topology.kubernetes.io/zone` is. */
const ZONE = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const SOURCE: HashOn = { kind: "source" };

export function readLoadBalancer(spec: Field): LoadBalancer {
  const field = objectMember(spec, "loadBalancer", FIELDS);
  const hash = field && readHash(field);
  return {
    algorithm: hash?.algorithm ?? (field && readSimple(field)),
    ...readWarmup(field),
    maglevTableSize: hash?.tableSize ?? DEFAULT_TRAFFIC_SETTINGS.maglevTableSize,
    hashOn: hash?.hashOn ?? SOURCE,
    failover: field ? readFailover(field) : [],
  };
}

function readSimple(loadBalancer: Field): BalanceAlgorithm | undefined {
  const simple = member(loadBalancer, "simple");
  const name = simple && oneOf(simple, SIMPLE_NAMES);
  return name && SIMPLE[name];
}

interface Hash {
  readonly algorithm: BalanceAlgorithm;
  readonly tableSize: number | undefined;
  readonly hashOn: HashOn;
}

function readHash(loadBalancer: Field): Hash | undefined {
  const hash = objectMember(loadBalancer, "consistentHash", [...KEYS, "ringHash", "maglev"]);
  if (!hash) return undefined;
  if (member(loadBalancer, "simple")) refuse(hash, "simple and consistentHash exclude each other");
  const warmup = member(loadBalancer, "warmup");
  // Callers would only be moved to and fro.
  if (warmup) refuse(warmup, "warmup and consistentHash exclude each other");
  const hashOn = readKey(hash);
  const ring = objectMember(hash, "ringHash", []);
  const maglev = objectMember(hash, "maglev", ["tableSize"]);
  if (ring && maglev) refuse(maglev, "ringHash and maglev exclude each other");
  // Istio: "Defaults to RingHash if not specified."
  if (!maglev) return { algorithm: "ring_hash", tableSize: undefined, hashOn };
  const tableSize = integerMember(maglev, "tableSize", [2, MAX_TABLE]);
  if (tableSize !== undefined && !isPrime(tableSize)) {
    refuse(missing(maglev, "tableSize"), "must be a prime number");
  }
  return { algorithm: "maglev", tableSize, hashOn };
}

function readKey(hash: Field): HashOn {
  const key = onlyMember(hash, KEYS);
  switch (key) {
    case undefined:
      return SOURCE;
    case "useSourceIp":
      if (member(hash, key)?.value !== true) refuse(missing(hash, key), "must be true");
      return SOURCE;
    case "httpHeaderName":
      return { kind: "header", name: tokenIn(hash, key).toLowerCase() };
    case "httpQueryParameterName":
      return { kind: "query", name: tokenIn(hash, key) };
    case "httpCookie":
      return readCookie(hash);
  }
}

function readCookie(hash: Field): HashOn {
  const cookie = objectMember(hash, "httpCookie", ["name", "path", "ttl"]);
  if (!cookie) return SOURCE;
  const path = member(cookie, "path");
  // RFC 6265 4.1.1: "path-value = <any CHAR except CTLs or ";">"
  if (path && !/^\/[\x21-\x3a\x3c-\x7e]{0,1023}$/.test(text(path) ?? "/")) {
    refuse(path, "must begin with / and have no semicolon");
  }
  return {
    kind: "cookie",
    name: tokenIn(cookie, "name"),
    path: typeof path?.value === "string" ? path.value : "/",
    // As in Istio, 0s is a cookie of the session.
    ttlMs: durationMember(cookie, "ttl", 0) ?? 0,
  };
}

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor += 1) {
    if (value % divisor === 0) return false;
  }
  return true;
}

function readWarmup(
  loadBalancer: Field | undefined,
): Pick<LoadBalancer, "warmupMs" | "warmupMinimumPercent"> {
  const { warmupMs, warmupMinimumPercent } = DEFAULT_TRAFFIC_SETTINGS;
  const warmup =
    loadBalancer && objectMember(loadBalancer, "warmup", ["duration", "minimumPercent"]);
  if (warmup && !member(warmup, "duration")) refuse(warmup, "duration must be given");
  return {
    warmupMs: durationMember(warmup, "duration", 1000) ?? warmupMs,
    warmupMinimumPercent: integerMember(warmup, "minimumPercent", [1, 100]) ?? warmupMinimumPercent,
  };
}

/** Istio's steps name one place each; several of one place are its places to go to in their order. */
function readFailover(loadBalancer: Field): readonly FailoverStep[] {
  const setting = objectMember(loadBalancer, "localityLbSetting", ["failover"]);
  if (!setting) return [];
  const field = member(setting, "failover");
  if (!field) refuse(missing(setting, "failover"), "must be given");
  const written = field ? items(field) : [];
  if (field && written.length > MAX_STEPS) refuse(field, `at most ${MAX_STEPS} steps`);
  const steps = new Map<string, string[]>();
  for (const item of written) {
    if (!isObjectOf(item, ["from", "to"])) continue;
    const from = readZone(item, "from");
    const to = readZone(item, "to");
    const all = steps.get(from) ?? [];
    if (from === to) refuse(missing(item, "to"), "must be another zone than from");
    else if (all.includes(to)) refuse(missing(item, "to"), `${from} goes there already`);
    steps.set(from, [...all, to]);
  }
  return Array.from(steps, ([from, to]) => ({ from, to }));
}

function readZone(step: Field, name: string): string {
  const zone = requiredText(step, name);
  if (zone !== "" && !ZONE.test(zone)) refuse(missing(step, name), "must be a zone");
  return zone;
}
