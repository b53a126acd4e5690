/**
 * Which of a node's streams speaks for the node? While one node proxy replaces another both have a
 * stream, and what the draining one says must not override what its successor does.
 *
 * The youngest that has reported speaks; one whose pod is being replaced never does. When another
 * becomes the speaker its last words are told again.
 */
import type { NodeReport } from "../../core/model/node-report.ts";
import type { NodePeer } from "./authenticate.ts";
import type { Applied } from "./config-session.ts";

export interface SpeakersOptions {
  /** The pod ends and another of its kind lives on its node. */
  readonly isSuperseded: (podUid: string) => boolean;
  readonly onApplied: (peer: NodePeer, applied: Applied) => void;
  readonly onReport: (peer: NodePeer, report: NodeReport) => void;
  /** Nobody speaks for the node here any more. */
  readonly onGone: (node: string) => void;
}

/** One stream. */
export interface Voice {
  apply(applied: Applied): void;
  report(report: NodeReport): void;
  end(): void;
}

interface Known {
  readonly peer: NodePeer;
  applied: Applied | undefined;
  report: NodeReport | undefined;
}

export class Speakers {
  readonly #options: SpeakersOptions;
  /** Oldest first. */
  readonly #known = new Set<Known>();
  readonly #speaking = new Map<string, Known>();

  constructor(options: SpeakersOptions) {
    this.#options = options;
  }

  add(peer: NodePeer): Voice {
    const known: Known = { peer, applied: undefined, report: undefined };
    this.#known.add(known);
    this.#review(peer.node);
    return {
      apply: (applied) => {
        known.applied = applied;
        if (this.#speaking.get(peer.node) === known) this.#options.onApplied(peer, applied);
      },
      report: (report) => this.#report(known, report),
      end: () => {
        this.#known.delete(known);
        this.#review(peer.node);
      },
    };
  }

  /** Pods have come, gone or begun to end. */
  review(): void {
    for (const node of new Set([...this.#known].map(({ peer }) => peer.node))) this.#review(node);
  }

  #report(known: Known, report: NodeReport): void {
    const isFirst = known.report === undefined;
    known.report = report;
    const { node } = known.peer;
    const wasSpeaking = this.#speaking.get(node) === known;
    if (isFirst) this.#review(node);
    if (wasSpeaking && this.#speaking.get(node) === known) {
      this.#options.onReport(known.peer, report);
    }
  }

  #review(node: string): void {
    const before = this.#speaking.get(node);
    const now = this.#choose(node);
    if (now === before) return;
    if (!now) {
      this.#speaking.delete(node);
      this.#options.onGone(node);
      return;
    }
    this.#speaking.set(node, now);
    if (now.applied) this.#options.onApplied(now.peer, now.applied);
    if (now.report) this.#options.onReport(now.peer, now.report);
  }

  #choose(node: string): Known | undefined {
    const able = [...this.#known].filter(
      ({ peer }) => peer.node === node && !this.#isSuperseded(peer),
    );
    return able.findLast(({ report }) => report !== undefined) ?? able.at(-1);
  }

  #isSuperseded({ podUid }: NodePeer): boolean {
    return podUid !== undefined && this.#options.isSuperseded(podUid);
  }
}
