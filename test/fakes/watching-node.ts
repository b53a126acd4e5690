/** The line of a node proxy without the node proxy: holds what it is sent, takes all of it, reports what the test says. */
import { EventEmitter, once } from "node:events";
import type { CaptureReport, LeafReport } from "../../core/model/node-report.ts";
import { type Changes, type Resource, resourceKey } from "../../core/model/resource.ts";
import { ConfigStream } from "../../nodeproxy/control/config-stream.ts";
import { HeldResources } from "../../nodeproxy/control/held-resources.ts";
import type { OperatorLineOptions } from "../../nodeproxy/control/operator-line.ts";
import { silent } from "./line-operator.ts";

export class WatchingNode {
  /** Every batch, oldest first. */
  readonly batches: Changes[] = [];
  readonly #node: string;
  readonly #held = new HeldResources();
  readonly #stream: ConfigStream;
  readonly #applied = new EventEmitter();

  constructor(node: string, line: OperatorLineOptions) {
    this.#node = node;
    this.#stream = new ConfigStream({
      line,
      version: "test",
      held: () => this.#held.versions(),
      apply: (changes) => {
        this.#held.apply(changes);
        this.batches.push(changes);
        this.#applied.emit("batch");
        return { kind: "applied" };
      },
      log: silent,
      backoff: { minMs: 20, maxMs: 100 },
    });
    this.#stream.start();
  }

  report(
    captures: readonly Pick<CaptureReport, "uid" | "state">[],
    leaves: readonly LeafReport[] = [],
  ): void {
    this.#stream.report({
      node: this.#node,
      version: "test",
      captures: captures.map((capture) => {
        return { reason: "", message: "", connectionsOutside: 0, ...capture };
      }),
      leaves,
      bundles: [],
      olderTunnels: [],
    });
  }

  /** The first batch with such a resource, and that resource. */
  async received(isWanted: (resource: Resource) => boolean): Promise<Resource> {
    for (let next = 0; ; next += 1) {
      while (next >= this.batches.length) await once(this.#applied, "batch");
      const found = this.batches[next]?.upserts.find(isWanted);
      if (found) return found;
    }
  }

  /** Once a batch takes that resource away; `key` as of `resourceKey`. */
  async removed(key: string): Promise<void> {
    for (let next = 0; ; next += 1) {
      while (next >= this.batches.length) await once(this.#applied, "batch");
      if (this.batches[next]?.removals.some((ref) => resourceKey(ref) === key)) return;
    }
  }

  /** Of the first batch that tells of the workload, and so of the very first thing the node knew about it. */
  async firstTunnel(uid: string): Promise<boolean> {
    const { body } = await this.received(
      ({ name, body }) => body.kind === "workload" && name === uid,
    );
    return body.kind === "workload" && body.value.tunnel;
  }

  async close(): Promise<void> {
    await this.#stream.close();
  }
}
