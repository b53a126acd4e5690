/**
 * What all workers of a traffic process together know of the trouble of Services: one circuit and one budget of retries
 * for the whole node.
 */
import type { BreakerMemory } from "../resilience/breaker.ts";
import type { GuardMemory } from "../resilience/guards.ts";
import { BUDGET_SLOTS, type BudgetMemory, type BudgetSlot } from "../resilience/retry-budget.ts";
import { type SharedCell, type SharedTable, WORD } from "./shared-table.ts";

export class SharedGuards implements GuardMemory {
  readonly #table: SharedTable;
  readonly #onFull: () => void;

  /** `onFull`: a Service is counted in this worker alone, as the table has no room for it. */
  constructor(table: SharedTable, onFull: () => void) {
    this.#table = table;
    this.#onFull = onFull;
  }

  breaker(service: string): BreakerMemory | undefined {
    const cell = this.#cell(`circuit ${service}`);
    return cell && new SharedBreaker(this.#table, cell);
  }

  budget(service: string): BudgetMemory | undefined {
    const cells: SharedCell[] = [];
    for (let slot = 0; slot < BUDGET_SLOTS; slot += 1) {
      const cell = this.#cell(`budget ${slot} ${service}`);
      if (!cell) return undefined;
      cells.push(cell);
    }
    return new SharedBudget(this.#table, cells);
  }

  #cell(key: string): SharedCell | undefined {
    const cell = this.#table.cell(key);
    if (!cell) this.#onFull();
    return cell;
  }
}

class SharedBreaker implements BreakerMemory {
  readonly #table: SharedTable;
  readonly #cell: SharedCell;

  constructor(table: SharedTable, cell: SharedCell) {
    this.#table = table;
    this.#cell = cell;
  }

  get failures(): number {
    return this.#cell.get(WORD.failures);
  }

  set failures(count: number) {
    this.#cell.set(WORD.failures, count);
  }

  get openings(): number {
    return this.#cell.get(WORD.openings);
  }

  set openings(count: number) {
    this.#cell.set(WORD.openings, count);
  }

  get tried(): number {
    return this.#cell.get(WORD.tried);
  }

  set tried(count: number) {
    this.#cell.set(WORD.tried, count);
  }

  get good(): number {
    return this.#cell.get(WORD.good);
  }

  set good(count: number) {
    this.#cell.set(WORD.good, count);
  }

  get untilMs(): number {
    return this.#table.timeOf(this.#cell.get(WORD.until));
  }

  set untilMs(atMs: number) {
    this.#cell.set(WORD.until, this.#table.unitsOf(atMs));
  }

  exclusively<Result>(work: () => Result): Result {
    return this.#cell.exclusively(work);
  }
}

class SharedBudget implements BudgetMemory {
  readonly slots: readonly BudgetSlot[];
  readonly #table: SharedTable;
  readonly #first: SharedCell | undefined;

  constructor(table: SharedTable, cells: readonly SharedCell[]) {
    this.#table = table;
    [this.#first] = cells;
    this.slots = cells.map((cell) => new SharedSlot(cell));
  }

  sharedMs(nowMs: number): number {
    return this.#table.sharedMs(nowMs);
  }

  exclusively<Result>(work: () => Result): Result {
    return this.#first ? this.#first.exclusively(work) : work();
  }
}

/** A fresh cell says that it is part 0, and that nothing began in it: the same as none. */
class SharedSlot implements BudgetSlot {
  readonly #cell: SharedCell;

  constructor(cell: SharedCell) {
    this.#cell = cell;
  }

  get part(): number {
    return this.#cell.get(WORD.part);
  }

  set part(part: number) {
    this.#cell.set(WORD.part, part);
  }

  get requests(): number {
    return this.#cell.get(WORD.requests);
  }

  set requests(count: number) {
    this.#cell.set(WORD.requests, count);
  }

  get retries(): number {
    return this.#cell.get(WORD.retries);
  }

  set retries(count: number) {
    this.#cell.set(WORD.retries, count);
  }

  addRequest(): void {
    this.#cell.increase(WORD.requests, 1);
  }
}
