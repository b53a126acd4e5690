/**
 * The conditions of all objects of Weft's own kinds, recomputed when something they depend on changes.
 *
 * Says what they are, to `/status` and to whoever writes them; writes nothing itself. A recomputation
 * looks at everything, so it takes its time off: at most a tenth of one core.
 */
import type { PolicyState } from "../index/policy-state.ts";
import { acceptedCondition, ignoredFields } from "./acceptance.ts";
import type { WantedStatus } from "./conditions.ts";
import { type AppliedByNode, enforcementOf } from "./enforcement.ts";

export interface ObjectStatus extends WantedStatus {
  readonly state: PolicyState;
}

export interface MeshStatusOptions {
  readonly policies: () => readonly PolicyState[];
  /** All of them, whether changed or not. */
  readonly onStatus: (statuses: readonly ObjectStatus[]) => void;
}

const LEAST_PAUSE_MS = 50;

export class MeshStatus {
  readonly #options: MeshStatusOptions;
  /** From streams of this replica: they know first. */
  readonly #own = new Map<string, AppliedByNode>();
  /** From NodeReport objects, whichever replica wrote them. */
  readonly #written = new Map<string, AppliedByNode>();
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = LEAST_PAUSE_MS;
  #isClosed = false;

  constructor(options: MeshStatusOptions) {
    this.#options = options;
  }

  /** What a node holds, from its stream; `undefined` once it has none here. */
  setOwn(node: string, applied: AppliedByNode | undefined): void {
    replace(this.#own, node, applied);
    this.recomputeSoon();
  }

  /** What a node holds, from its NodeReport; `undefined` where that is gone. */
  setWritten(node: string, applied: AppliedByNode | undefined): void {
    replace(this.#written, node, applied);
    this.recomputeSoon();
  }

  /** As it is now. */
  statuses(): readonly ObjectStatus[] {
    const applied = new Map([...this.#written, ...this.#own]);
    return this.#options.policies().map((state) => {
      const { condition, nodes } = enforcementOf(state, applied);
      const conditions = [acceptedCondition(state), condition];
      return { state, conditions, nodes, ignored: ignoredFields(state) };
    });
  }

  recomputeSoon(): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const started = performance.now();
      this.#options.onStatus(this.statuses());
      this.#pauseMs = Math.max(LEAST_PAUSE_MS, 9 * (performance.now() - started));
    }, this.#pauseMs);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}

function replace(
  map: Map<string, AppliedByNode>,
  node: string,
  applied: AppliedByNode | undefined,
): void {
  if (applied) map.set(node, applied);
  else map.delete(node);
}
