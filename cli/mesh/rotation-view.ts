/**
 * A CARotation as people and scripts read it: how far it is, and which node has not proved what.
 *
 * Over objects already read; asks nobody and decides nothing: the operator alone moves a rotation on.
 */
import type { ClusterObject } from "./cluster-objects.ts";

/** `Pending` also where the operator has not looked at it yet. */
export type RotationPhase =
  | "Pending"
  | "Add"
  | "Reissue"
  | "Drop"
  | "Complete"
  | "Aborted"
  | "Refused";

export interface RotatingNode {
  readonly name: string;
  /** Proven, Waiting or Waived. */
  readonly state: string;
  /** "" or NoReport, Bundle, Leaves, Tunnels. */
  readonly missing: string;
  readonly message: string;
  /** RFC 3339; "" where the node never reported. */
  readonly lastReportAt: string;
}

export interface RotationView {
  readonly name: string;
  /** root or intermediate. */
  readonly authority: string;
  readonly phase: RotationPhase;
  /** It is turned back: `to` is the certificate that signed before. */
  readonly aborting: boolean;
  readonly reason: string;
  readonly message: string;
  /** Hex SHA-256 of the certificates that sign before and after; "" before it has begun. */
  readonly from: string;
  readonly to: string;
  readonly startedAt: string;
  readonly phaseSince: string;
  readonly finishedAt: string;
  /** `2/3` */
  readonly nodesProven: string;
  readonly waivedNodes: readonly string[];
  readonly nodes: readonly RotatingNode[];
}

const PHASES: readonly RotationPhase[] = [
  "Pending",
  "Add",
  "Reissue",
  "Drop",
  "Complete",
  "Aborted",
  "Refused",
];

export function viewRotation({ metadata, spec, status }: ClusterObject): RotationView {
  const phase = PHASES.find((each) => each === status?.["phase"]) ?? "Pending";
  return {
    name: metadata.name,
    authority: textOf(spec, "authority"),
    phase,
    aborting: status?.["aborting"] === true,
    reason: textOf(status, "reason"),
    message: textOf(status, "message"),
    from: textOf(status, "from"),
    to: textOf(status, "to"),
    startedAt: textOf(status, "startedAt"),
    phaseSince: textOf(status, "phaseSince"),
    finishedAt: textOf(status, "finishedAt"),
    nodesProven: textOf(status, "nodesProven"),
    waivedNodes: waivedNodesOf(spec),
    nodes: recordsOf(status?.["nodes"]).map(viewNode),
  };
}

/** Has ended, one way or the other. */
export function isOver({ phase }: RotationView): boolean {
  return phase === "Complete" || phase === "Aborted" || phase === "Refused";
}

/**
 * The one that is under way. One that has begun goes before one that waits for its turn, then the older
 * before the younger, as the operator takes them; every caller chooses the same.
 */
export function chooseUnderWay(objects: readonly ClusterObject[]): RotationView | undefined {
  const [first] = objects
    .map((object) => ({ view: viewRotation(object), at: object.metadata.creationTimestamp ?? "" }))
    .filter(({ view }) => !isOver(view))
    .toSorted(
      (a, b) =>
        rankOf(a.view) - rankOf(b.view) || compare(a.at, b.at) || compare(a.view.name, b.view.name),
    );
  return first?.view;
}

/** What has not been proved, in words of its own where the operator said none. */
export function lackOf({ missing, message }: RotatingNode): string {
  if (message !== "") return message;
  switch (missing) {
    case "NoReport":
      return "has not reported";
    case "Bundle":
      return "does not use the trust bundle of this phase yet";
    case "Leaves":
      return "serves certificates of the other issuer";
    case "Tunnels":
      return "has live tunnels on certificates of the other issuer";
    default:
      return missing;
  }
}

function rankOf({ phase }: RotationView): number {
  return phase === "Pending" ? 1 : 0;
}

function viewNode(fields: Fields): RotatingNode {
  return {
    name: textOf(fields, "name"),
    state: textOf(fields, "state"),
    missing: textOf(fields, "missing"),
    message: textOf(fields, "message"),
    lastReportAt: textOf(fields, "lastReportAt"),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function waivedNodesOf(spec: Fields | undefined): readonly string[] {
  const names = spec?.["waivedNodes"];
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
}

function recordsOf(value: unknown): readonly Fields[] {
  if (!Array.isArray(value)) return [];
  return value.filter((each): each is Fields => typeof each === "object" && each !== null);
}

function textOf(fields: Fields | undefined, name: string): string {
  const value = fields?.[name];
  return typeof value === "string" ? value : "";
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
