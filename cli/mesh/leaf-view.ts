/**
 * The certificates that the nodes serve, and those that they should serve and do not. Over objects already
 * read; asks nobody.
 */
import type { ClusterObject } from "./cluster-objects.ts";
import { capturesOf } from "./mesh-view.ts";

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
  /** Hex; "" where the node does not say. */
  readonly serial: string;
  /** "" where the node does not say. */
  readonly notBefore: string;
  /** The last renewal that succeeded; "" where the node does not say when its leaf begins. */
  readonly issuedAt: string;
  readonly notAfter: string;
  readonly secondsLeft: number;
  readonly renewedBy: "node-proxy";
  readonly state: LeafState;
}

export interface LeafObjects {
  /** MeshConfig `default`. */
  readonly meshConfig: ClusterObject | undefined;
  readonly reports: readonly ClusterObject[];
  readonly pods: readonly ClusterObject[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const DEFAULT_LIFETIME_SECONDS = 24 * 3600;
const DEFAULT_TRUST_DOMAIN = "cluster.local";
/** The operator lets leaves begin so long before they are made. */
const BACKDATE_MS = 5 * 60_000;

/** The most urgent first. */
export function viewLeaves(objects: LeafObjects): readonly LeafView[] {
  const served = objects.reports.flatMap((report) => leavesOf(report, objects));
  const missing = objects.reports.flatMap((report) => missingOf(report, served, objects));
  return [...served, ...missing].toSorted((a, b) => a.secondsLeft - b.secondsLeft);
}

function leavesOf(report: ClusterObject, objects: LeafObjects): readonly LeafView[] {
  const lifeSeconds = lifetimeOf(objects.meshConfig);
  return reportedLeaves(report).map((leaf) => {
    const { identity, issuer, serial = "", notBefore = "", notAfter } = leaf;
    const secondsLeft = Math.floor((Date.parse(notAfter) - objects.now) / 1000);
    const beginsMs = Date.parse(notBefore);
    // The epoch is how a node that does not say is written down.
    const isSaid = beginsMs > 0;
    return {
      node: report.metadata.name,
      identity,
      issuer,
      serial,
      notBefore: isSaid ? notBefore : "",
      issuedAt: isSaid ? new Date(beginsMs + BACKDATE_MS).toISOString() : "",
      notAfter,
      secondsLeft,
      renewedBy: "node-proxy",
      state: stateOfLeaf(secondsLeft, lifeSeconds),
    };
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
  { pods, meshConfig }: LeafObjects,
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
      serial: "",
      notBefore: "",
      issuedAt: "",
      notAfter: "",
      secondsLeft: 0,
      renewedBy: "node-proxy",
      state: "missing",
    }));
}

interface ReportedLeaf {
  readonly identity: string;
  readonly issuer: string;
  readonly serial?: string;
  readonly notBefore?: string;
  readonly notAfter: string;
}

function reportedLeaves({ status }: ClusterObject): readonly ReportedLeaf[] {
  return (status?.["leaves"] ?? []) as readonly ReportedLeaf[];
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
