/**
 * Which names a CA lets certificates below it have (RFC 5280 4.2.1.10), and whether one keeps to that.
 *
 * Where the standard leaves a choice the stricter one is taken: what cannot be compared is not permitted.
 */
import type { Certificate } from "./certificate.ts";
import { DerError, type DerValue, readChildren, readDer, TAG } from "./der-reader.ts";

export interface NameConstraints {
  readonly permitted: readonly NameSubtree[];
  readonly excluded: readonly NameSubtree[];
}

export type NameSubtree =
  /** A host, or with a leading dot every host below it. Lower case. */
  | { readonly kind: "uri"; readonly base: string }
  /** A domain and all below it; with a leading dot only what is below it; "" is every name. Lower case. */
  | { readonly kind: "dns"; readonly base: string }
  /** 4 or 16 octets each. */
  | { readonly kind: "ip"; readonly address: Uint8Array; readonly mask: Uint8Array }
  /** RDNs, DER, the outermost first. */
  | { readonly kind: "directory"; readonly rdns: readonly Uint8Array[] }
  /** E-mail addresses and the like, which certificates of a mesh never have. */
  | { readonly kind: "other" };

/** [0] permittedSubtrees, [1] excludedSubtrees. */
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;
/** Tags of GeneralName. */
const BASE_TAG = { dns: 0x82, directory: 0xa4, uri: 0x86, ip: 0x87 } as const;

/** `bytes` is the extension's value. Throws DerError. */
export function parseNameConstraints(bytes: Uint8Array): NameConstraints {
  const parts = readChildren(readDer(bytes, TAG.sequence).content);
  const tags = parts.map(({ tag }) => tag);
  const isInOrder = tags.every((tag, index) => index === 0 || (tags[index - 1] ?? 0) < tag);
  if (parts.length === 0 || !isInOrder || tags.some((tag) => tag !== PERMITTED && tag !== EXCLUDED))
    throw new DerError("name constraints are neither permitted nor excluded subtrees");
  return { permitted: subtreesOf(parts, PERMITTED), excluded: subtreesOf(parts, EXCLUDED) };
}

function subtreesOf(parts: readonly DerValue[], tag: number): readonly NameSubtree[] {
  const part = parts.find((candidate) => candidate.tag === tag);
  return part ? readChildren(part.content).map(readSubtree) : [];
}

function readSubtree({ whole }: DerValue): NameSubtree {
  const parts = readChildren(readDer(whole, TAG.sequence).content);
  const [base] = parts;
  // RFC 5280: "minimum MUST be zero, and maximum MUST be absent"; DER does not write a default.
  if (!base || parts.length !== 1) throw new DerError("subtree has a minimum or a maximum");
  const { tag, content } = base;
  switch (tag) {
    case BASE_TAG.uri:
      return { kind: "uri", base: readBase(content, /^\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/) };
    case BASE_TAG.dns:
      return { kind: "dns", base: readBase(content, /^(\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*)?$/) };
    case BASE_TAG.ip:
      return readIpBase(content);
    case BASE_TAG.directory:
      return { kind: "directory", rdns: rdnsOf(readDer(content, TAG.sequence).whole) };
    default:
      return { kind: "other" };
  }
}

function readBase(content: Uint8Array, allowed: RegExp): string {
  const base = Buffer.from(content).toString("latin1").toLowerCase();
  if (!allowed.test(base)) throw new DerError("name constraint is not a host name");
  return base;
}

function readIpBase(content: Uint8Array): NameSubtree {
  const half = content.length / 2;
  if (half !== 4 && half !== 16) throw new DerError("ip constraint of odd length");
  return { kind: "ip", address: content.subarray(0, half), mask: content.subarray(half) };
}

function rdnsOf(name: Uint8Array): readonly Uint8Array[] {
  return readChildren(readDer(name, TAG.sequence).content).map(({ whole }) => whole);
}

/** Does every name of the certificate keep to what a CA above it has laid down? */
export function isPermitted(certificate: Certificate, constraints: NameConstraints): boolean {
  const { uris, dnsNames, ipAddresses, others } = certificate.alternativeNames;
  const rdns = rdnsOf(certificate.subject);
  return (
    uris.every((uri) => isAllowed(constraints, "uri", uriMatch(uri))) &&
    dnsNames.every((name) => isAllowed(constraints, "dns", dnsMatch(name.toLowerCase()))) &&
    ipAddresses.every((address) => isAllowed(constraints, "ip", ipMatch(address))) &&
    (rdns.length === 0 || isAllowed(constraints, "directory", directoryMatch(rdns))) &&
    (others === 0 || hasNone(constraints, "other", "directory"))
  );
}

/** `unclear` where the name cannot be compared: no permitted subtree holds it, every excluded one does. */
type Match = (subtree: NameSubtree) => boolean | "unclear";

function isAllowed(
  { permitted, excluded }: NameConstraints,
  kind: NameSubtree["kind"],
  match: Match,
): boolean {
  const among = permitted.filter((subtree) => subtree.kind === kind);
  const without = excluded.filter((subtree) => subtree.kind === kind);
  if (without.some((subtree) => match(subtree) !== false)) return false;
  return among.length === 0 || among.some((subtree) => match(subtree) === true);
}

function hasNone(
  { permitted, excluded }: NameConstraints,
  ...kinds: readonly NameSubtree["kind"][]
): boolean {
  return ![...permitted, ...excluded].some(({ kind }) => kinds.includes(kind));
}

/** "The constraint applies to the host part of the name": a fully qualified one, never an address. */
function uriMatch(uri: string): Match {
  const [, host = ""] = /^[a-z][a-z0-9+.-]*:\/\/([a-z0-9._-]+)(?:[/?#].*)?$/i.exec(uri) ?? [];
  const name = host.toLowerCase();
  const isHost = name !== "" && !/^[0-9.]+$/.test(name);
  return (subtree) => {
    if (subtree.kind !== "uri" || !isHost) return "unclear";
    return subtree.base.startsWith(".") ? isBelow(name, subtree.base) : name === subtree.base;
  };
}

function dnsMatch(name: string): Match {
  return (subtree) => {
    if (subtree.kind !== "dns" || name.includes("*")) return "unclear";
    const { base } = subtree;
    if (base === "" || name === base) return true;
    return isBelow(name, base.startsWith(".") ? base : `.${base}`);
  };
}

function isBelow(name: string, suffix: string): boolean {
  return name.length > suffix.length && name.endsWith(suffix);
}

function ipMatch(address: Uint8Array): Match {
  return (subtree) => {
    if (subtree.kind !== "ip") return "unclear";
    const { address: base, mask } = subtree;
    if (base.length !== address.length) return false;
    return address.every(
      (octet, index) => ((octet ^ (base[index] ?? 0)) & (mask[index] ?? 0xff)) === 0,
    );
  };
}

function directoryMatch(rdns: readonly Uint8Array[]): Match {
  return (subtree) => {
    if (subtree.kind !== "directory") return "unclear";
    return subtree.rdns.every((base, index) => {
      const rdn = rdns[index];
      return rdn !== undefined && Buffer.compare(base, rdn) === 0;
    });
  };
}
