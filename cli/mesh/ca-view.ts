/**
 * The mesh's certificates as its objects tell them: which roots are trusted, what signs, what the operator
 * and the nodes serve, how long each still holds, who renews it, and whether somebody must look.
 *
 * Over objects already read; asks nobody, and never sees a key.
 */
import type { X509Certificate } from "node:crypto";
import { fingerprintOf, isOperatorRoot, readCertificates, subjectOf } from "./ca-roots.ts";
import type { ClusterObject } from "./cluster-objects.ts";
import { type LeafObjects, type LeafView, viewLeaves } from "./leaf-view.ts";
import { chooseUnderWay, type RotationView } from "./rotation-view.ts";
import { type Scrape, type ServerView, viewServers } from "./server-view.ts";

export interface CaObjects extends LeafObjects {
  /** ConfigMap `weft-roots`. */
  readonly roots: ClusterObject | undefined;
  readonly rotations: readonly ClusterObject[];
  /** One for each operator replica. */
  readonly scrapes: readonly Scrape[];
}

export interface CaView {
  /**
   * Nothing has ended or is missing, nothing is in the last quarter of its life without a successor, an
   * operator runs, and no rotation is held up. What could not be found out is no trouble here.
   */
  readonly healthy: boolean;
  /** What could not be found out; a missing right of who asks is none. */
  readonly unknown: readonly string[];
  /** "" where the roots could be read. */
  readonly rootsProblem: string;
  readonly roots: readonly RootView[];
  /** What signs leaves first, then those above it but the root. Empty where the root itself signs. */
  readonly intermediates: readonly IntermediateView[];
  readonly issuers: readonly IssuerView[];
  readonly servers: readonly ServerView[];
  /** The most urgent first. */
  readonly leaves: readonly LeafView[];
  /** The one under way. */
  readonly rotation: RotationView | null;
}

/** `cert-manager` where MeshConfig names an issuer; `owner`: whoever brought the CA. */
export type RenewedBy = "operator" | "weftctl ca rotate" | "cert-manager" | "owner";

/**
 * `ending`: less than a quarter of its life is left and no younger root is trusted beside it. `replaced`: one is.
 */
export type RootState = "valid" | "ending" | "replaced" | "expired";

export interface RootView {
  /** Hex SHA-256. */
  readonly fingerprint: string;
  readonly subject: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly secondsLeft: number;
  readonly renewedBy: RenewedBy;
  readonly state: RootState;
}

export interface IntermediateView extends Omit<RootView, "state"> {
  /** `ending`: less than a quarter of its life, or 90 days, is left, and nobody has renewed it. */
  readonly state: "valid" | "ending" | "expired";
}

export interface IssuerView {
  /** Hex SHA-256. */
  readonly fingerprint: string;
  /** Of the root or the intermediate; "" where it is neither, so one that does not sign any more. */
  readonly subject: string;
  readonly leaves: number;
}

const MAX_WARNING_MS = 90 * 86_400_000;
/** As long as the alert of deploy/alerts.yaml waits. */
const HELD_UP_MS = 15 * 60_000;

export function viewCa(objects: CaObjects): CaView {
  const { certificates, problem } = readCertificates(objects.roots, "roots.pem");
  const roots = certificates.map((root) => viewRoot(root, certificates, objects));
  const signing = readIntermediates(objects, problem);
  const intermediates = signing.certificates.map((each) =>
    viewIntermediate(each, certificates, objects),
  );
  const leaves = viewLeaves(objects);
  const servers = objects.scrapes.flatMap((scrape) => viewServers(scrape, objects.now));
  const rotation = chooseUnderWay(objects.rotations) ?? null;
  return {
    healthy:
      problem === "" &&
      roots.every(({ state }) => state === "valid" || state === "replaced") &&
      intermediates.every(({ state }) => state === "valid") &&
      servers.length > 0 &&
      servers.every(({ state }) => state !== "expired" && state !== "renewal_late") &&
      leaves.every(({ state }) => state === "valid") &&
      !isHeldUp(rotation, objects.now),
    unknown: [...signing.unknown, ...unanswered(servers)],
    rootsProblem: problem,
    roots,
    intermediates,
    issuers: viewIssuers(leaves, [...roots, ...intermediates]),
    servers,
    leaves,
    rotation,
  };
}

interface ReadIntermediates {
  readonly certificates: readonly X509Certificate[];
  readonly unknown: readonly string[];
}

/** Without roots nothing is installed, and there is no more to say. */
function readIntermediates({ roots }: CaObjects, rootsProblem: string): ReadIntermediates {
  const data = roots?.["data"] as Readonly<Record<string, unknown>> | undefined;
  if (rootsProblem !== "" || data?.["issuers.pem"] === "") return { certificates: [], unknown: [] };
  const { certificates, problem } = readCertificates(roots, "issuers.pem");
  return { certificates, unknown: problem === "" ? [] : [problem] };
}

function unanswered(servers: readonly ServerView[]): readonly string[] {
  const lines = servers
    .filter(({ state }) => state === "unanswered")
    .map(({ pod, problem }) => `${pod}: ${problem}`);
  return [...new Set(lines)];
}

function isHeldUp(rotation: RotationView | null, now: number): boolean {
  if (!rotation?.nodes.some(({ state }) => state === "Waiting")) return false;
  return now - Date.parse(rotation.phaseSince) >= HELD_UP_MS;
}

function viewRoot(
  root: X509Certificate,
  all: readonly X509Certificate[],
  { meshConfig, now }: CaObjects,
): RootView {
  return {
    ...validityOf(root, now),
    renewedBy: isOperatorRoot(root) ? "weftctl ca rotate" : strangerOf(meshConfig),
    state: stateOfRoot(root, all, now),
  };
}

function viewIntermediate(
  certificate: X509Certificate,
  roots: readonly X509Certificate[],
  { meshConfig, now }: CaObjects,
): IntermediateView {
  const leftMs = certificate.validToDate.getTime() - now;
  const isEnding = leftMs < Math.min(MAX_WARNING_MS, lifeMsOf(certificate) / 4);
  // Under its own root also where MeshConfig names an issuer by now: until that root is exchanged.
  const isOwn = roots.some((root) => isOperatorRoot(root) && certificate.checkIssued(root));
  return {
    ...validityOf(certificate, now),
    renewedBy: isOwn ? "operator" : strangerOf(meshConfig),
    state: leftMs <= 0 ? "expired" : isEnding ? "ending" : "valid",
  };
}

function validityOf(certificate: X509Certificate, now: number) {
  const { validFromDate, validToDate } = certificate;
  return {
    fingerprint: fingerprintOf(certificate),
    subject: subjectOf(certificate),
    notBefore: validFromDate.toISOString(),
    notAfter: validToDate.toISOString(),
    secondsLeft: Math.floor((validToDate.getTime() - now) / 1000),
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

function isInLastQuarter(certificate: X509Certificate, now: number): boolean {
  return certificate.validToDate.getTime() - now < lifeMsOf(certificate) / 4;
}

function lifeMsOf({ validFromDate, validToDate }: X509Certificate): number {
  return validToDate.getTime() - validFromDate.getTime();
}

function viewIssuers(
  leaves: readonly LeafView[],
  known: readonly Pick<RootView, "fingerprint" | "subject">[],
): readonly IssuerView[] {
  const counts = new Map<string, number>();
  for (const { issuer, state } of leaves) {
    if (state !== "missing") counts.set(issuer, (counts.get(issuer) ?? 0) + 1);
  }
  return [...counts].map(([fingerprint, count]) => {
    const found = known.find((each) => each.fingerprint === fingerprint);
    return { fingerprint, subject: found?.subject ?? "", leaves: count };
  });
}

/** Who renews what the operator did not make. */
function strangerOf(meshConfig: ClusterObject | undefined): RenewedBy {
  const certificates = meshConfig?.spec?.["certificates"];
  const hasSigner =
    typeof certificates === "object" && certificates !== null && "issuerRef" in certificates;
  return hasSigner ? "cert-manager" : "owner";
}
