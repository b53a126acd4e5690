/**
 * `balance/client-affinity.ts` over all workers: whichever takes a caller's next connection, it goes where the last one
 * went. A bond that only a dead worker knew is forgotten.
 */
import {
  type Affinity,
  type Bond,
  ClientAffinity,
  MAX_CALLERS,
} from "../balance/client-affinity.ts";
import { type SharedCell, type SharedTable, WORD } from "./shared-table.ts";

export class SharedAffinity implements Affinity {
  readonly #table: SharedTable;
  readonly #key: string;
  readonly #onFull: () => void;
  /** In the order of the last connection, the oldest first. */
  readonly #callers = new Map<string, SharedCell>();
  readonly #local = new ClientAffinity();

  constructor(table: SharedTable, key: string, onFull: () => void) {
    this.#table = table;
    this.#key = key;
    this.#onFull = onFull;
  }

  find(caller: string, nowMs: number): number | undefined {
    const cell = this.#cellOf(caller);
    if (!cell) return this.#local.find(caller, nowMs);
    return cell.exclusively(() => {
      const until = cell.get(WORD.until);
      if (until === 0 || this.#table.timeOf(until) <= nowMs) return undefined;
      return cell.get(WORD.endpoint) >>> 0;
    });
  }

  bind(caller: string, bond: Bond): void {
    const cell = this.#cellOf(caller);
    if (!cell) {
      this.#local.bind(caller, bond);
      return;
    }
    cell.exclusively(() => {
      cell.set(WORD.endpoint, bond.endpoint | 0);
      cell.set(WORD.until, this.#table.unitsOf(bond.untilMs));
    });
  }

  #cellOf(caller: string): SharedCell | undefined {
    const cell = this.#callers.get(caller) ?? this.#table.cell(`caller ${this.#key} ${caller}`);
    if (!cell) {
      this.#onFull();
      return undefined;
    }
    this.#callers.delete(caller);
    this.#callers.set(caller, cell);
    this.#forgetOldest();
    return cell;
  }

  #forgetOldest(): void {
    if (this.#callers.size <= MAX_CALLERS) return;
    for (const [oldest] of this.#callers) {
      this.#callers.delete(oldest);
      return;
    }
  }
}
