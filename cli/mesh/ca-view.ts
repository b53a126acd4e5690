/**
 * The mesh's certificates as its objects tell them: which roots are trusted, which leaves the nodes serve,
 * how long each still holds, and whether somebody must look.
 *
 * Over objects already read; asks nobody, and never sees a key.
 */
import type { X509Certificate } from "node:crypto";
import { fingerprintOf, readCertificates, subjectOf } from "./ca-roots.ts";
import type { ClusterObject } from "./cluster-objects.ts";
import { capturesOf } from "./mesh-view.ts";

export interface CaObjects {
  /** ConfigMap `weft-roots`. */
  readonly roots: ClusterObject | undefined;
  /** MeshConfig `default`. */
  readonly meshConfig: ClusterObject | undefined;
  readonly reports: readonly ClusterObject[];
  readonly pods: readonly ClusterObject[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface CaView {
  /** Nothing has ended or is missing, and nothing is in the last quarter of its life without a successor. */
  readonly healthy: boolean;
  /** "" where the roots could be read. */
  readonly rootsProblem: string;
  readonly roots: readonly RootView[];
  readonly issuers: readonly IssuerView[];
  /** The most urgent first. */
  readonly leaves: readonly LeafView[];
}

/**
 * `ending`: less than a quarter of its life is left and no younger root is trusted beside it. `replaced`: one is.
 */
export type RootState = "valid" | "ending" | "replaced" | "expired";

export interface RootView {
  /** Hex SHA-256. */
  readonly fingerprint: string;
  readonly subject: string;
  readonly notAfter: string;
  readonly secondsLeft: number;
  readonly state: RootState;
}

export interface IssuerView {
  /** Hex SHA-256. */
  readonly fingerprint: string;
  /** Of the root; "" where it is none, so an intermediate or a root that is not trusted any more. */
  readonly subject: string;
  readonly leaves: number;
}

/**
 * `renewal_late`: a node renews at half of the life, so with less than a quarter left it has failed to.
 * `missing`: the node has captured a pod of this identity and serves nothing for it.
 */
export type LeafState = "valid" | "renewal_late" | "expired" | "missing";

export interface LeafView {
  readonly node: string;
  readonly identity: string;
  /** Hex SHA-256; "" where the leaf is missing. */
  readonly issuer: string;
  readonly notAfter: string;
  readonly secondsLeft: number;
  readonly state: LeafState;
}

const DEFAULT_LIFETIME_SECONDS = 24 * 3600;
const DEFAULT_TRUST_DOMAIN = "cluster.local";

export function viewCa(objects: CaObjects): CaView {
  const { certificates, problem } = readCertificates(objects.roots, "roots.pem");
  const roots = certificates.map((root) => viewRoot(root, certificates, objects.now));
  const served = objects.reports.flatMap((report) => leavesOf(report, objects));
  const missing = objects.reports.flatMap((report) => missingOf(report, served, objects));
  const leaves = [...served, ...missing].toSorted((a, b) => a.secondsLeft - b.secondsLeft);
  return {
    healthy:
      problem === "" &&
      roots.every(({ state }) => state === "valid" || state === "replaced") &&
      leaves.every(({ state }) => state === "valid"),
    rootsProblem: problem,
    roots,
    issuers: viewIssuers(served, roots),
    leaves,
  };
}

function viewRoot(root: X509Certificate, all: readonly X509Certificate[], now: number): RootView {
  const { validToDate } = root;
  return {
    fingerprint: fingerprintOf(root),
    subject: subjectOf(root),
    notAfter: validToDate.toISOString(),
    secondsLeft: secondsUntil(validToDate.getTime(), now),
    state: stateOfRoot(root, all, now),
  };
}

function stateOfRoot(
  root: X509Certificate,
  all: readonly X509Certificate[],
  now: number,
): RootState {
  if (root.validToDate.getTime() <= now) return "expired";
  if (!isInLastQuarter(root, now)) return "valid";
  return all.some((other) => !isInLastQuarter(other, now)) ? "replaced" : "ending";
}

function isInLastQuarter({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  const lifeMs = validToDate.getTime() - validFromDate.getTime();
  return validToDate.getTime() - now < lifeMs / 4;
}

function leavesOf(report: ClusterObject, objects: CaObjects): readonly LeafView[] {
  const lifeSeconds = lifetimeOf(objects.meshConfig);
  return reportedLeaves(report).map(({ identity, issuer, notAfter }) => {
    const secondsLeft = secondsUntil(Date.parse(notAfter), objects.now);
    const state = stateOfLeaf(secondsLeft, lifeSeconds);
    return { node: report.metadata.name, identity, issuer, notAfter, secondsLeft, state };
  });
}

/** `secondsLeft` is NaN where the end cannot be read. */
function stateOfLeaf(secondsLeft: number, lifeSeconds: number): LeafState {
  if (!(secondsLeft > 0)) return "expired";
  return secondsLeft < lifeSeconds / 4 ? "renewal_late" : "valid";
}

/** A node forgets a leaf that has ended, so what it does not serve must be told by what it has captured. */
function missingOf(
  report: ClusterObject,
  served: readonly LeafView[],
  { pods, meshConfig }: CaObjects,
): readonly LeafView[] {
  const node = report.metadata.name;
  const captured = new Set(
    capturesOf(report)
      .filter(({ state }) => state === "captured")
      .map(({ uid }) => uid),
  );
  const accounts = pods
    .filter(({ metadata }) => captured.has(metadata.uid ?? ""))
    .map(({ metadata, spec }) => {
      const account = spec?.["serviceAccountName"];
      const name = typeof account === "string" ? account : "default";
      return `/ns/${metadata.namespace ?? ""}/sa/${name}`;
    });
  const own = served.filter((leaf) => leaf.node === node);
  return [...new Set(accounts)]
    .filter((account) => !own.some(({ identity }) => identity.endsWith(account)))
    .map((account) => ({
      node,
      identity: `spiffe://${trustDomainOf(meshConfig)}${account}`,
      issuer: "",
      notAfter: "",
      secondsLeft: 0,
      state: "missing",
    }));
}

interface ReportedLeaf {
  readonly identity: string;
  readonly issuer: string;
  readonly notAfter: string;
}

function reportedLeaves({ status }: ClusterObject): readonly ReportedLeaf[] {
  return (status?.["leaves"] ?? []) as readonly ReportedLeaf[];
}

function viewIssuers(
  leaves: readonly LeafView[],
  roots: readonly RootView[],
): readonly IssuerView[] {
  const counts = new Map<string, number>();
  for (const { issuer } of leaves) counts.set(issuer, (counts.get(issuer) ?? 0) + 1);
  return [...counts].map(([fingerprint, count]) => {
    const root = roots.find((each) => each.fingerprint === fingerprint);
    return { fingerprint, subject: root?.subject ?? "", leaves: count };
  });
}

function secondsUntil(endMs: number, now: number): number {
  return Math.floor((endMs - now) / 1000);
}

/** As the operator reads it: what it does not accept leaves the default. */
function lifetimeOf(meshConfig: ClusterObject | undefined): number {
  const certificates = meshConfig?.spec?.["certificates"] as
    | Readonly<Record<string, unknown>>
    | undefined;
  const text = certificates?.["leafLifetime"];
  if (typeof text !== "string") return DEFAULT_LIFETIME_SECONDS;
  const [, h = 0, m = 0, s = 0] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? [];
  const seconds = Number(h) * 3600 + Number(m) * 60 + Number(s);
  return seconds > 0 ? seconds : DEFAULT_LIFETIME_SECONDS;
}

function trustDomainOf(meshConfig: ClusterObject | undefined): string {
  const domain = meshConfig?.spec?.["trustDomain"];
  return typeof domain === "string" ? domain : DEFAULT_TRUST_DOMAIN;
}
