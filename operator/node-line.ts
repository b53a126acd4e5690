/**
 * What the nodes with a stream on this replica said last: report and acknowledgement, which come one
 * by one and are told on together.
 */
import type { NodeReport } from "../core/model/node-report.ts";
import type { AppliedByNode } from "./status/enforcement.ts";

export interface NodeLineOptions {
  readonly setReport: (report: NodeReport) => void;
  /** Report, and what the node holds and refuses, whenever one of them has changed. */
  readonly onTold: (report: NodeReport, applied: AppliedByNode) => void;
  readonly onApplied: (node: string, applied: AppliedByNode | undefined) => void;
  readonly onGone: (node: string) => void;
}

interface Told {
  report?: NodeReport;
  applied?: AppliedByNode;
}

export class NodeLine {
  readonly #options: NodeLineOptions;
  readonly #told = new Map<string, Told>();

  constructor(options: NodeLineOptions) {
    this.#options = options;
  }

  has(node: string): boolean {
    return this.#told.has(node);
  }

  apply(node: string, applied: AppliedByNode): void {
    this.#tell(node, { applied });
    this.#options.onApplied(node, applied);
  }

  report(report: NodeReport): void {
    this.#options.setReport(report);
    this.#tell(report.node, { report });
  }

  /** What was written of the node is gone: tells it once more where its stream ends here. */
  retell(node: string): void {
    if (this.has(node)) this.#tell(node, {});
  }

  drop(node: string): void {
    this.#told.delete(node);
    this.#options.onApplied(node, undefined);
    this.#options.onGone(node);
  }

  #tell(node: string, news: Told): void {
    const told = { ...this.#told.get(node), ...news };
    this.#told.set(node, told);
    if (told.report) {
      this.#options.onTold(told.report, told.applied ?? { held: new Map(), refused: [] });
    }
  }
}
