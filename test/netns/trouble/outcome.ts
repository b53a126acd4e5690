/** What the story of trouble measured, as it prints it; `trouble.test.ts` judges it. */
import type { LoadOutcome } from "../faults/outcome.ts";

export interface TroubleOutcome {
  readonly isolated: {
    readonly load: LoadOutcome;
    /** Within the node that was cut off, meanwhile: a call, and one that a policy forbids. */
    readonly within: string;
    readonly forbiddenWithin: string;
    /** A call to it from another node, meanwhile. */
    readonly across: string;
    /** What a policy forbids that came meanwhile, once it could be known. */
    readonly lateForbidden: string;
  };
  readonly outOfMemory: { readonly load: LoadOutcome; readonly kills: number };
  readonly crashLooping: LoadOutcome;
  readonly clock: {
    /** Two minutes on, four back, two on. */
    readonly small: LoadOutcome;
    /** How far the node's own clock was seen to step, in minutes. */
    readonly steppedMinutes: readonly number[];
    /** A month on: a call, one that a policy forbids, and a call once it is back. */
    readonly late: string;
    readonly lateForbidden: string;
    readonly healed: string;
  };
  readonly churn: ChurnOutcome;
}

export interface ChurnOutcome {
  readonly load: LoadOutcome;
  /** Pods that were born and have gone. */
  readonly pods: number;
  readonly perSecond: number;
  /** Of pods whose identity may: answers, octet for octet. */
  readonly answered: number;
  /** Pods whose identity may and that were never answered. */
  readonly unanswered: readonly string[];
  /** Answers that were none to the question. */
  readonly corrupt: readonly string[];
  /** Of pods whose identity may not: tried, and (never to happen) answered. */
  readonly forbiddenTried: number;
  readonly forbiddenAnswered: readonly string[];
}
