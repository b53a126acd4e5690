/**
 * Reading what the traffic process says. It parses what pods send and so may have been taken over:
 * control takes nothing from it that has not the exact shape.
 */
import type { OlderTunnels } from "../../core/model/node-report.ts";
import type { FromTraffic, OpenConnection } from "./messages.ts";
import { parseDeniedAttempt } from "./parse-denied-attempt.ts";

/** `undefined` for anything else. */
export function parseFromTraffic(body: Buffer): FromTraffic | undefined {
  const value = parseJson(body);
  if (!isRecord(value)) return undefined;
  switch (value["kind"]) {
    case "hello":
      return parseHello(value["pid"]);
    case "listening":
      return parseListening(value["uid"]);
    case "alive":
    case "drained":
      return { kind: value["kind"] };
    case "applied":
      return parseApplied(value["sequence"]);
    case "metrics":
      return parseMetrics(value);
    case "denial":
      return parseDenial(value);
    case "tunnel_issuers":
      return parseTunnelIssuers(value["issuers"]);
    case "connections":
      return parseConnections(value["open"]);
    default:
      return undefined;
  }
}

function parseHello(pid: unknown): FromTraffic | undefined {
  return isCount(pid) ? { kind: "hello", pid } : undefined;
}

function parseListening(uid: unknown): FromTraffic | undefined {
  return isText(uid) ? { kind: "listening", uid } : undefined;
}

function parseApplied(sequence: unknown): FromTraffic | undefined {
  return isCount(sequence) ? { kind: "applied", sequence } : undefined;
}

/** More than a traffic process with all its series has to tell. */
const MAX_METRICS_LENGTH = 32 << 20;

function parseMetrics(value: Readonly<Record<string, unknown>>): FromTraffic | undefined {
  const { id, text } = value;
  if (!isCount(id) || typeof text !== "string" || text.length > MAX_METRICS_LENGTH)
    return undefined;
  return { kind: "metrics", id, text };
}

function parseDenial({ id, attempt }: Readonly<Record<string, unknown>>): FromTraffic | undefined {
  if (!isCount(id)) return undefined;
  if (attempt === undefined) return { kind: "denial", id };
  const parsed = parseDeniedAttempt(attempt);
  return parsed && { kind: "denial", id, attempt: parsed };
}

/** More CAs at once than any rotation has. */
const MAX_ISSUERS = 64;

function parseTunnelIssuers(list: unknown): FromTraffic | undefined {
  if (!Array.isArray(list) || list.length > MAX_ISSUERS) return undefined;
  const issuers = list.map(parseTunnelIssuer);
  if (!issuers.every((issuer) => issuer !== undefined)) return undefined;
  return { kind: "tunnel_issuers", issuers };
}

function parseTunnelIssuer(value: unknown): OlderTunnels | undefined {
  if (!isRecord(value)) return undefined;
  const { issuer, count } = value;
  if (typeof issuer !== "string" || !/^[0-9a-f]{64}$/.test(issuer)) return undefined;
  return isCount(count) && Number.isInteger(count) && count > 0 && count <= 0xffff_ffff
    ? { issuer, count }
    : undefined;
}

function parseConnections(list: unknown): FromTraffic | undefined {
  if (!Array.isArray(list)) return undefined;
  const open = list.map(parseConnection);
  if (!open.every((connection) => connection !== undefined)) return undefined;
  return { kind: "connections", open };
}

const TEXTS = ["workload", "peer", "source", "destination"] as const;
const COUNTS = ["id", "sinceMs", "bytesSent", "bytesReceived"] as const;

function parseConnection(value: unknown): OpenConnection | undefined {
  if (!isRecord(value)) return undefined;
  const { direction, tunnelled } = value as Partial<OpenConnection>;
  if (direction !== "inbound" && direction !== "outbound") return undefined;
  if (typeof tunnelled !== "boolean") return undefined;
  if (!TEXTS.every((name) => isText(value[name]))) return undefined;
  if (!COUNTS.every((name) => isCount(value[name]))) return undefined;
  const { id, workload, peer, source, destination, ...rest } = value as unknown as OpenConnection;
  const { sinceMs, bytesSent, bytesReceived } = rest;
  const numbers = { sinceMs, bytesSent, bytesReceived };
  return { id, direction, workload, peer, source, destination, tunnelled, ...numbers };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** A SPIFFE ID has at most 2,048 bytes (SPIFFE-ID 2.3). */
function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= 4096;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
