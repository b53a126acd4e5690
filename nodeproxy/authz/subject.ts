/**
 * An attempt with the texts that matchers compare. What an attempt shares with many others is made
 * once and kept: the names of a caller with its connection, the forms of a host in a small table.
 */
import type { Attempt, Peer } from "./attempt.ts";

export interface Subject {
  readonly attempt: Attempt;
  readonly names: PeerNames;
  /** Forms of the request's host, lower case: as sent, without its port, without the dot at its end. */
  readonly hosts: readonly string[];
  readonly serverNames: readonly string[];
}

/** All lists are empty for plaintext. */
export interface PeerNames {
  /** What they were made with. */
  readonly meshDomains: readonly string[];
  readonly namespaces: readonly string[];
  /** The peer's trust domain and, if it is the mesh's, all its aliases. */
  readonly trustDomains: readonly string[];
  /** One principal for each of `trustDomains`, same order. */
  readonly principals: readonly string[];
  /** `namespace/account`; "" for plaintext. */
  readonly account: string;
}

const NONE: readonly string[] = [];
const PLAINTEXT: PeerNames = {
  meshDomains: NONE,
  namespaces: NONE,
  trustDomains: NONE,
  principals: NONE,
  account: "",
};

const knownPeers = new WeakMap<Peer, PeerNames>();

/** Callers choose what they send as host, so the table is emptied when it is full, and long ones never enter it. */
const MAX_HOSTS = 1024;
const MAX_HOST_LENGTH = 264;
const knownHosts = new Map<string, readonly string[]>();

const borrowed: { -readonly [K in keyof Subject]: Subject[K] } = {
  attempt: { sourceIp: [], destinationIp: [], destinationPort: 0 },
  names: PLAINTEXT,
  hosts: NONE,
  serverNames: NONE,
};

/** `meshDomains`: the mesh's trust domain and its aliases, which all mean the same callers. */
export function subjectOf(attempt: Attempt, meshDomains: readonly string[]): Subject {
  return { ...borrowSubject(attempt, meshDomains) };
}

/** The same, without an allocation: the one subject there is, good until the next call. */
export function borrowSubject(attempt: Attempt, meshDomains: readonly string[]): Subject {
  borrowed.attempt = attempt;
  borrowed.names = attempt.peer ? namesOf(attempt.peer, meshDomains) : PLAINTEXT;
  borrowed.hosts = attempt.http ? hostForms(attempt.http.host) : NONE;
  borrowed.serverNames = attempt.sni === undefined ? NONE : hostForms(attempt.sni);
  return borrowed;
}

function namesOf(peer: Peer, meshDomains: readonly string[]): PeerNames {
  const known = knownPeers.get(peer);
  if (known && known.meshDomains === meshDomains) return known;
  const made = makeNames(peer, meshDomains);
  knownPeers.set(peer, made);
  return made;
}

/** By itself: a function that holds closures makes room for them at every call. */
function makeNames(peer: Peer, meshDomains: readonly string[]): PeerNames {
  const { trustDomain, namespace, serviceAccount } = peer;
  const trustDomains = meshDomains.includes(trustDomain) ? meshDomains : [trustDomain];
  return {
    meshDomains,
    namespaces: [namespace],
    trustDomains,
    principals: trustDomains.map((domain) => `${domain}/ns/${namespace}/sa/${serviceAccount}`),
    account: `${namespace}/${serviceAccount}`,
  };
}

function hostForms(host: string): readonly string[] {
  if (host === "") return NONE;
  const known = knownHosts.get(host);
  if (known) return known;
  const sent = host.toLowerCase();
  const bare = sent.slice(0, endOfHost(sent));
  const forms = [...new Set([sent, bare, bare.endsWith(".") ? bare.slice(0, -1) : bare])];
  if (host.length > MAX_HOST_LENGTH) return forms;
  if (knownHosts.size >= MAX_HOSTS) knownHosts.clear();
  knownHosts.set(host, forms);
  return forms;
}

/** Where the port begins: the last colon, unless it is one within an IPv6 address. */
function endOfHost(host: string): number {
  const colon = host.lastIndexOf(":");
  if (colon < 0) return host.length;
  const isPort = host.indexOf(":") === colon || host[colon - 1] === "]";
  return isPort ? colon : host.length;
}
