/**
 * Looks at the CA every few seconds, or at once when told to, and has its roots published to those who do not get them on
 * a stream: when they have changed, when this replica begins or ends to lead, and again from time to time.
 */
import type { Log } from "../core/process/log.ts";
import type { CaLook } from "./ca/authority.ts";
import type { CaKeeper } from "./ca/ca-keeper.ts";

export interface CaWatchOptions {
  readonly keeper: Pick<CaKeeper, "look">;
  readonly isLeader: () => boolean;
  /** PEM of what is trusted now. */
  readonly rootsPem: () => string;
  readonly publish: (rootsPem: string) => Promise<void>;
  /** After each look that could be taken. */
  readonly onLooked?: (look: CaLook) => Promise<void>;
  /** By this replica before it began to watch, as a leader would. */
  readonly publishedPem?: string;
  /** Somebody else may undo what was published. `Infinity` where nobody does. */
  readonly republishMs: number;
  readonly log: Log;
}

/** The rotation of the CA relies on it: `ca/rotation/decide-step.ts`. */
const LOOK_MS = 5000;

interface Published {
  readonly rootsPem: string;
  readonly asLeader: boolean;
  /** Monotonic. */
  readonly atMs: number;
}

export class CaWatch {
  readonly #options: CaWatchOptions;
  #published: Published | undefined;
  #turn: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: CaWatchOptions) {
    this.#options = options;
    const { publishedPem: rootsPem } = options;
    const atMs = performance.now();
    this.#published = rootsPem === undefined ? undefined : { rootsPem, asLeader: true, atMs };
  }

  /** Resolves once all that is stored by now has been taken and, if it can be, published. */
  lookNow(): Promise<void> {
    clearTimeout(this.#timer);
    this.#turn = this.#turn.then(() => this.#look());
    const turn = this.#turn;
    void turn.then(() => {
      if (this.#isClosed || turn !== this.#turn) return;
      this.#timer = setTimeout(() => void this.lookNow(), LOOK_MS);
    });
    return turn;
  }

  /** What a leader has published last; `undefined` where it failed, or this is none. */
  publishedPem(): string | undefined {
    return this.#published?.asLeader ? this.#published.rootsPem : undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#turn;
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return;
    const { keeper, isLeader, onLooked } = this.#options;
    const look = await keeper.look(isLeader());
    await this.#publish();
    if (look) await onLooked?.(look);
  }

  async #publish(): Promise<void> {
    const { rootsPem, isLeader, publish, republishMs, log } = this.#options;
    const next = { rootsPem: rootsPem(), asLeader: isLeader(), atMs: performance.now() };
    const before = this.#published;
    const isSame = before?.rootsPem === next.rootsPem && before.asLeader === next.asLeader;
    if (isSame && next.atMs - before.atMs < republishMs) return;
    try {
      await publish(next.rootsPem);
      this.#published = next;
    } catch (error) {
      this.#published = undefined;
      log.warn({ err: error }, "roots not published");
    }
  }
}
