/**
 * Is this tunnel request a call that the pod it came to may be asked for? Pure: reads the request's
 * pseudo-headers, nothing else. What the caller says about itself in other headers is never read.
 */
import { canonicalIp } from "../../core/model/ip.ts";

export type ParsedAttempt =
  | { readonly kind: "attempt"; readonly address: string; readonly port: number }
  | { readonly kind: "malformed"; readonly reason: MalformedReason };

export type MalformedReason =
  | "not_connect"
  | "malformed_authority"
  | "foreign_address"
  | "own_port";

export interface TunnelRequest {
  readonly method: string | undefined;
  readonly authority: string | undefined;
  readonly path: string | undefined;
  readonly scheme: string | undefined;
}

/** Ports 15000 to 15090 in a pod's namespace are the mesh's; nothing is carried to them. */
export function isOwnPort(port: number): boolean {
  return port >= 15_000 && port <= 15_090;
}

/** `localAddress`: canonical address that the TLS connection came to; `podAddresses`: canonical, the pod's own. */
export function parseAttempt(
  request: TunnelRequest,
  localAddress: string,
  podAddresses: readonly string[],
): ParsedAttempt {
  // RFC 9113 8.5: "The ":scheme" and ":path" pseudo-header fields MUST be omitted."
  if (request.method !== "CONNECT" || request.path !== undefined || request.scheme !== undefined) {
    return { kind: "malformed", reason: "not_connect" };
  }
  const target = parseAuthority(request.authority ?? "", localAddress);
  if (!target) return { kind: "malformed", reason: "malformed_authority" };
  if (target.address !== localAddress || !podAddresses.includes(target.address)) {
    return { kind: "malformed", reason: "foreign_address" };
  }
  if (isOwnPort(target.port)) return { kind: "malformed", reason: "own_port" };
  return { kind: "attempt", address: target.address, port: target.port };
}

/** `10.0.0.1:80` or `[2001:db8::1]:80`; names, zones, user info and missing ports are refused. */
function parseAuthority(
  text: string,
  localAddress: string,
): { address: string; port: number } | undefined {
  const colon = text.lastIndexOf(":");
  if (colon < 0 || text.length > 64) return undefined;
  const host = text.slice(0, colon);
  const isBracketed = host.startsWith("[") && host.endsWith("]");
  if (host.includes(":") !== isBracketed) return undefined;
  const bare = isBracketed ? host.slice(1, -1) : host;
  // The only address that will do is nearly always written as we write it.
  const address = bare === localAddress ? bare : canonicalIp(bare);
  const port = parsePort(text.slice(colon + 1));
  if (address === undefined || port === undefined) return undefined;
  return { address, port };
}

function parsePort(text: string): number | undefined {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}
