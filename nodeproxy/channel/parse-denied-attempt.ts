/** Reading a denied attempt as the traffic process tells it: nothing is taken that has not the exact shape. */
import type {
  DecidingPolicy,
  DeniedAttempt,
  DeniedFacts,
  DeniedRequest,
} from "../../core/model/denied-attempt.ts";
import { canonicalIp } from "../../core/model/ip.ts";
import { isSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";

type Fields = Readonly<Record<string, unknown>>;

const TEXTS = ["id", "code", "pod", "workload", "source", "sourceWorkload"] as const;
/** Names of objects and addresses; a server name has at most 253. */
const MAX_TEXT = 512;
/** Of one request. */
const MAX_HEADERS = 32;
/** 9999-12-31: beyond it no date can be written. */
const MAX_TIME_MS = 253_402_300_799_999;

export function parseDeniedAttempt(value: unknown): DeniedAttempt | undefined {
  if (!isFields(value) || !TEXTS.every((name) => isText(value[name]))) return undefined;
  const { id, code, pod, workload, source, sourceWorkload, timeMs, wasOpen } =
    value as unknown as DeniedAttempt;
  if (!isWithin(timeMs, MAX_TIME_MS) || typeof wasOpen !== "boolean") return undefined;
  const facts = parseFacts(value["facts"]);
  const decided = parseDecided(value["decided"]);
  if (!facts || decided === "malformed") return undefined;
  const texts = { id, code, pod, workload, source, sourceWorkload };
  return { ...texts, timeMs, wasOpen, facts, ...(decided ? { decided } : {}) };
}

function parseDecided(value: unknown): DecidingPolicy | "malformed" | undefined {
  if (value === undefined) return undefined;
  if (!isFields(value)) return "malformed";
  const { policy, rule, mark } = value as Partial<DecidingPolicy>;
  if (!isText(policy) || !isText(mark)) return "malformed";
  if (rule === undefined) return { policy, mark };
  // -1: an invalid policy has no rule of its own.
  return Number.isInteger(rule) && rule >= -1 ? { policy, rule, mark } : "malformed";
}

function parseFacts(value: unknown): DeniedFacts | undefined {
  if (!isFields(value)) return undefined;
  const { sourceIp, destinationIp, destinationPort, sni, remoteIp } = value as Partial<DeniedFacts>;
  if (!isAddress(sourceIp) || !isAddress(destinationIp)) return undefined;
  if (!isWithin(destinationPort, 65_535)) return undefined;
  const seen = parseSeen({ sni, remoteIp });
  const request = parseRequest(value["request"]);
  const peer = parsePeer(value["peer"]);
  if (!seen || peer === "malformed" || request === "malformed") return undefined;
  const facts = { sourceIp, destinationIp, destinationPort, ...(peer ? { peer } : {}), ...seen };
  return request ? { ...facts, request } : facts;
}

function parseRequest(value: unknown): DeniedRequest | "malformed" | undefined {
  if (value === undefined) return undefined;
  if (!isFields(value)) return "malformed";
  const { method, path, host, headers, withheld } = value;
  const token = parseToken(value["token"]);
  const isGood = isText(method) && isText(path) && isText(host) && token !== "malformed";
  if (!isGood || !isTexts(withheld) || !isPairs(headers)) return "malformed";
  return { method, path, host, headers, withheld, ...(token ? { token } : {}) };
}

function parseToken(value: unknown): DeniedRequest["token"] | "malformed" {
  if (value === undefined) return undefined;
  if (!isFields(value)) return "malformed";
  const { issuer, subject } = value;
  return isText(issuer) && isText(subject) ? { issuer, subject } : "malformed";
}

function isPairs(value: unknown): value is readonly (readonly [string, string])[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_HEADERS &&
    value.every((pair: unknown) => isTexts(pair) && pair.length === 2)
  );
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MAX_HEADERS && value.every(isText);
}

/** What somebody may have looked at beyond layer 4. */
function parseSeen({ sni, remoteIp }: Fields): Pick<DeniedFacts, "sni" | "remoteIp"> | undefined {
  if (sni !== undefined && !isText(sni)) return undefined;
  if (remoteIp !== undefined && !isAddress(remoteIp)) return undefined;
  return {
    ...(sni === undefined ? {} : { sni }),
    ...(remoteIp === undefined ? {} : { remoteIp }),
  };
}

function parsePeer(value: unknown): SpiffeId | "malformed" | undefined {
  if (value === undefined) return undefined;
  if (!isFields(value)) return "malformed";
  const { trustDomain, namespace, serviceAccount } = value;
  if (!isText(trustDomain) || !isText(namespace) || !isText(serviceAccount)) return "malformed";
  const peer = { trustDomain, namespace, serviceAccount };
  return isSpiffeId(peer) ? peer : "malformed";
}

/** "" where it could not be read. */
function isAddress(value: unknown): value is string {
  return isText(value) && (value === "" || canonicalIp(value) === value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_TEXT;
}

function isWithin(value: unknown, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
