/** What a CARotation's status says, from how far its rotation is. Pure; the words are for people, the codes are stable. */
import type { WaitingStep } from "../ca/rotation/decide-step.ts";
import type { NodeProof } from "../ca/rotation/node-proof.ts";
import type { RotationProgress } from "../ca/rotation/rotation-engine.ts";
import type { EndedRotation, RotationPhase } from "../ca/rotation-record.ts";
import type { CaRotationPhase, CaRotationProgress } from "../resources/ca-rotation.ts";

export interface RotationStatus {
  readonly observedGeneration: number;
  readonly phase: CaRotationPhase;
  readonly aborting: boolean;
  readonly reason: string;
  readonly message: string;
  readonly from?: string;
  readonly to?: string;
  readonly startedAt?: string;
  readonly phaseSince: string;
  readonly finishedAt?: string;
  readonly nodesProven?: string;
  readonly nodes: readonly NodeStatus[];
}

interface NodeStatus {
  readonly name: string;
  readonly state: NodeProof["state"];
  readonly missing: NodeProof["missing"];
  readonly message: string;
  readonly lastReportAt?: string;
}

/** What a status is made of, but for the times that go on from the one before. */
export type StatusFacts = Omit<RotationStatus, "observedGeneration" | "phaseSince" | "finishedAt">;

export interface StatusStamp {
  readonly generation: number;
  readonly now: number;
  /** The status from before, if there is one. */
  readonly before: Pick<CaRotationProgress, "phase" | "aborting" | "phaseSince"> | undefined;
}

const PHASES: Readonly<Record<RotationPhase, CaRotationPhase>> = {
  add: "Add",
  reissue: "Reissue",
  drop: "Drop",
};

export function stampStatus(
  facts: StatusFacts,
  { generation, now, before }: StatusStamp,
): RotationStatus {
  const isSame = before?.phase === facts.phase && before.aborting === facts.aborting;
  const phaseSince = isSame && before.phaseSince !== "" ? before.phaseSince : timeOf(now);
  const isOver = ["Complete", "Aborted", "Refused"].includes(facts.phase);
  return {
    observedGeneration: generation,
    ...facts,
    phaseSince,
    ...(isOver ? { finishedAt: phaseSince } : {}),
  };
}

/** `undefined` where nothing is to be said (yet). */
export function progressFacts(progress: RotationProgress): StatusFacts | undefined {
  switch (progress.kind) {
    case "wait":
      return waitFacts(progress);
    case "asking":
      return pending("AskingSigner", `${progress.signer} is asked for a new intermediate`);
    case "refused":
      return { ...pending(progress.reason, progress.message), phase: "Refused" };
    case "never_begun":
      return { ...pending("NeverBegun", "aborted before anything was changed"), phase: "Aborted" };
    case "ended":
      return endedFacts(progress.ended);
    case "missing":
      return pending("CaMissing", "the CA was removed, and is put back first");
    case "idle":
    case "orphaned":
    case "moved":
      return undefined;
  }
}

export function pending(reason: string, message: string): StatusFacts {
  return { phase: "Pending", aborting: false, reason, message, nodes: [] };
}

export function refusedSpec(message: string): StatusFacts {
  return { ...pending("InvalidSpec", message), phase: "Refused" };
}

export function endedFacts({ from, to, startedMs, outcome }: EndedRotation): StatusFacts {
  const times = { from, to, startedAt: timeOf(startedMs), nodes: [] };
  switch (outcome) {
    case "complete":
      return {
        ...times,
        phase: "Complete",
        aborting: false,
        reason: "Completed",
        message: "every node follows the new CA, and the old one is not trusted any more",
      };
    case "aborted":
      return {
        ...times,
        phase: "Aborted",
        aborting: true,
        reason: "Aborted",
        message: "every node follows the CA from before, and the new one is not trusted any more",
      };
    case "exchanged": {
      const message =
        "another CA was put into the key store meanwhile: that one signs, and the rotation has ended";
      return { ...pending("CaExchanged", message), phase: "Refused" };
    }
  }
}

function waitFacts({ record, nodes, waitsFor }: WaitingStep): StatusFacts {
  const { from, to, startedMs, phase, aborting } = record;
  const proven = nodes.filter(({ state }) => state !== "Waiting").length;
  return {
    phase: PHASES[phase],
    aborting,
    ...reasonOf(waitsFor, nodes),
    from,
    to,
    startedAt: timeOf(startedMs),
    nodesProven: `${proven}/${nodes.length}`,
    nodes: nodes.map(nodeStatus),
  };
}

function reasonOf(
  waitsFor: WaitingStep["waitsFor"],
  nodes: readonly NodeProof[],
): Pick<StatusFacts, "reason" | "message"> {
  switch (waitsFor) {
    case "nodes": {
      const waiting = nodes.filter(({ state }) => state === "Waiting");
      const named = waiting.slice(0, 10).map(({ node, message }) => `${node}: ${message}`);
      const more = waiting.length > 10 ? `; and ${waiting.length - 10} more` : "";
      return { reason: "WaitingForNodes", message: `${named.join("; ")}${more}` };
    }
    case "publishing": {
      const message = "the API server and the roots of node proxies do not have the roots yet";
      return { reason: "WaitingForRoots", message };
    }
    case "replicas": {
      const message = "every replica of the operator gets ten seconds to follow";
      return { reason: "WaitingForReplicas", message };
    }
  }
}

function nodeStatus({ node, state, missing, message, reportedAtMs }: NodeProof): NodeStatus {
  const lastReportAt = reportedAtMs === 0 ? {} : { lastReportAt: timeOf(reportedAtMs) };
  return { name: node, state, missing, message, ...lastReportAt };
}

/** Whole seconds, as Kubernetes has them. */
function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
