/**
 * The audit of certificates refused: who asked from where, for which pod and identity, and why not.
 *
 * Whoever floods the operator with requests must not flood its log: after so many lines of one node and
 * reason the rest of their window are only counted, and told with the first line of a later one.
 */
import type { Log } from "../../core/process/log.ts";
import type { CertifyRefusal } from "./certify.ts";

const LINES_A_WINDOW = 20;
const WINDOW_MS = 10_000;
const MAX_WINDOWS = 4_096;
/** A UID has 36 characters. What is longer comes from nobody who knows one. */
const MAX_WORKLOAD = 64;

export interface RefusalLogOptions {
  readonly log: Log;
  /** The SPIFFE ID of a pod, by its UID; `undefined` where no such pod is known. */
  readonly identityOf: (workload: string) => string | undefined;
  /** Milliseconds; never goes back. */
  readonly now: () => number;
}

interface Window {
  readonly untilMs: number;
  lines: number;
  unlogged: number;
}

export class RefusalLog {
  readonly #options: RefusalLogOptions;
  /** By node and reason, oldest first. */
  readonly #windows = new Map<string, Window>();

  constructor(options: RefusalLogOptions) {
    this.#options = options;
  }

  write({ reason, detail, node, workload, address }: CertifyRefusal): void {
    const key = `${node} ${reason}`;
    const before = this.#windows.get(key);
    const { log, now, identityOf } = this.#options;
    if (before && before.untilMs > now() && before.lines >= LINES_A_WINDOW) {
      before.unlogged += 1;
      return;
    }
    const unlogged = this.#countLine(key, now());
    const identity = identityOf(workload);
    log.warn(
      {
        reason,
        detail,
        node,
        workload: workload.slice(0, MAX_WORKLOAD),
        ...(identity !== undefined && { identity }),
        address,
        ...(unlogged > 0 && { unlogged }),
      },
      "certificate refused",
    );
  }

  /** How many went unlogged before this line. */
  #countLine(key: string, now: number): number {
    const known = this.#windows.get(key);
    if (known && known.untilMs > now) {
      known.lines += 1;
      return 0;
    }
    this.#windows.delete(key);
    this.#windows.set(key, { untilMs: now + WINDOW_MS, lines: 1, unlogged: 0 });
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > MAX_WINDOWS && oldest !== undefined) this.#windows.delete(oldest);
    return known?.unlogged ?? 0;
  }
}
