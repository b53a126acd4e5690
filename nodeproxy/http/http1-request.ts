/**
 * What a request's head says, once and without doubt, or why it is refused: pure.
 *
 * Whatever two readers could take for two different requests is refused here and never repaired. The parser has
 * refused already what is no HTTP (`http1-bad-head.ts` names that).
 */

import { type SortedFields, sortFields } from "./http1-fields.ts";
import { CHUNKED, type Framing, framingOfLength, NO_BODY } from "./http1-framing.ts";
import type { Head } from "./http1-head-reader.ts";
import type { RequestHead } from "./message.ts";

export interface BadRequest {
  readonly kind: "bad";
  readonly status: number;
  /** Stable code. */
  readonly reason: string;
}

export interface Request {
  readonly kind: "request";
  readonly head: RequestHead;
  readonly framing: Framing;
  /** The client goes on with this connection. */
  readonly isKept: boolean;
  /** It waits for a 100 before it sends the body. */
  readonly isExpecting: boolean;
}

export function readRequest(head: Head): Request | BadRequest {
  const version = versionOf(head);
  if (version === undefined) return bad("version_unsupported", 505);
  if (head.method === "") return bad("method_unknown", 501);
  if (head.method === "CONNECT") return bad("http_connect_refused", 405);
  const sorted = sortFields(head.lines);
  const framing = framingOf(sorted, version);
  if ("reason" in framing) return framing;
  const target = targetOf(head, sorted.hosts, version);
  if ("reason" in target) return target;
  if (!isExpectationKnown(sorted.expectations)) return bad("expectation_unknown", 417);
  if (sorted.options.some((option) => NEVER_OPTIONS.has(option))) return bad("connection_option");
  const common = { method: head.method, scheme: "http", ...target };
  return version === "1.0"
    ? oldRequest({ ...common, fields: sorted.fields, upgrade: "", version }, framing, sorted)
    : newRequest({ ...common, fields: sorted.fields, upgrade: "", version }, framing, sorted);
}

/** RFC 9110 10.1.1 and 7.8: an HTTP/1.0 client expects nothing, and changes to no other protocol. */
function oldRequest(head: RequestHead, framing: Framing, sorted: SortedFields): Request {
  const { options } = sorted;
  return {
    kind: "request",
    head: { ...head, fields: without(head.fields, "expect") },
    framing,
    isKept: options.includes("keep-alive") && !options.includes("close"),
    isExpecting: false,
  };
}

function newRequest(head: RequestHead, framing: Framing, sorted: SortedFields): Request {
  const { options, expectations } = sorted;
  const upgrade = framing.kind === "none" ? upgradeOf(sorted) : "";
  return {
    kind: "request",
    head: upgrade === "" ? head : { ...head, upgrade },
    framing,
    isKept: !options.includes("close"),
    isExpecting: expectations.length > 0,
  };
}

/**
 * RFC 9110 7.6.1: "A sender MUST NOT send a connection option corresponding to a field that is intended for all
 * recipients". Taking these out would turn one request into another.
 */
const NEVER_OPTIONS: ReadonlySet<string> = new Set([
  "authorization",
  "content-length",
  "content-type",
  "cookie",
  "expect",
  "host",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
]);

function bad(reason: string, status = 400): BadRequest {
  return { kind: "bad", status, reason };
}

function versionOf({ major, minor }: Head): "1.0" | "1.1" | undefined {
  if (major !== 1) return undefined;
  return minor === 1 ? "1.1" : minor === 0 ? "1.0" : undefined;
}

function framingOf(sorted: SortedFields, version: string): Framing | BadRequest {
  const { codings, contentLength } = sorted;
  const [coding] = codings;
  if (coding === undefined) {
    if (contentLength === "") return NO_BODY;
    return framingOfLength(contentLength) ?? bad("content_length_invalid");
  }
  if (contentLength !== "") return bad("content_length_with_transfer_encoding");
  // RFC 9112 6.1: "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header field
  // MUST treat the message as if the framing is faulty".
  if (codings.length > 1 || version === "1.0") return bad("transfer_encoding_invalid");
  if (coding.toLowerCase() === "chunked") return CHUNKED;
  return /^[a-z-]+$/i.test(coding)
    ? bad("transfer_encoding_unknown", 501)
    : bad("transfer_encoding_invalid");
}

type Target = Pick<RequestHead, "authority" | "path" | "query">;

const ABSOLUTE = /^http:\/\/([^/?]*)(.*)$/i;
/** A name, an IPv4 or an IPv6 address, and a port: of RFC 3986's characters those that hosts have. */
const AUTHORITY = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::(\d{1,5}))?$/i;

function targetOf(head: Head, hosts: readonly string[], version: string): Target | BadRequest {
  const { target } = head;
  const [host] = hosts;
  const problem = problemOfHosts(hosts, version);
  if (problem) return problem;
  if (target.includes("#")) return bad("target_fragment");
  // RFC 3986 2: all else is sent percent-encoded.
  if (!/^[!-~]+$/.test(target)) return bad("target_not_ascii");
  if (target.startsWith("/")) return { authority: host ?? "", ...splitQuery(target) };
  if (target === "*") {
    if (head.method !== "OPTIONS") return bad("target_invalid");
    return { authority: host ?? "", path: "*", query: "" };
  }
  return absoluteTarget(head, host);
}

/** RFC 9112 3.2: "any HTTP/1.1 request message that lacks a Host header field" and more than one. */
function problemOfHosts(hosts: readonly string[], version: string): BadRequest | undefined {
  const [host] = hosts;
  if (hosts.length > 1) return bad("host_duplicate");
  if (host !== undefined) return problemOfAuthority(host);
  return version === "1.1" ? bad("host_missing") : undefined;
}

/** RFC 9112 3.2.2. */
function absoluteTarget({ target, method }: Head, host: string | undefined): Target | BadRequest {
  const [, authority, rest = ""] = ABSOLUTE.exec(target) ?? [];
  if (authority === undefined) return bad("target_invalid");
  const problem = problemOfAuthority(authority);
  if (problem) return problem;
  if (host !== undefined && comparable(authority) !== comparable(host)) {
    return bad("authority_differs_from_host");
  }
  // RFC 9112 3.2.4: OPTIONS for all of a server.
  if (rest === "" && method === "OPTIONS") return { authority, path: "*", query: "" };
  return { authority, ...splitQuery(rest.startsWith("/") ? rest : `/${rest}`) };
}

function splitQuery(target: string): Pick<RequestHead, "path" | "query"> {
  const at = target.indexOf("?");
  if (at < 0) return { path: target, query: "" };
  return { path: target.slice(0, at), query: target.slice(at) };
}

function problemOfAuthority(authority: string): BadRequest | undefined {
  if (authority.includes("@")) return bad("authority_userinfo");
  const match = AUTHORITY.exec(authority);
  if (!match || Number(match[1] ?? 1) > 65_535 || Number(match[1] ?? 1) === 0) {
    return bad("host_invalid");
  }
  return undefined;
}

function comparable(authority: string): string {
  return authority.toLowerCase().replace(/:80$/, "");
}

function isExpectationKnown(expectations: readonly string[]): boolean {
  return (
    expectations.length <= 1 && (expectations[0] ?? "100-continue").toLowerCase() === "100-continue"
  );
}

/**
 * One protocol, and asked for as RFC 9110 7.8 says. Never HTTP/2: what came behind it would be requests that nobody
 * judges. A server may leave any Upgrade unheard, and so does this one.
 */
function upgradeOf({ upgrades, options }: SortedFields): string {
  const [asked = ""] = upgrades;
  if (upgrades.length !== 1 || !options.includes("upgrade")) return "";
  const protocol = asked.toLowerCase();
  return /^[a-z0-9!#$%&'*+.^_`|~-]+(?:\/[a-z0-9.]+)?$/.test(protocol) &&
    !/^(?:h2c|http)\b/.test(protocol)
    ? protocol
    : "";
}

function without(fields: readonly string[], name: string): readonly string[] {
  if (!fields.includes(name)) return fields;
  return fields.filter((_, i) => fields[i - (i % 2)] !== name);
}
