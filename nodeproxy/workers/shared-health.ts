/**
 * What all workers of a traffic process together know of endpoints: connections, failures, ejections. What one has
 * found out the others heed at their next choice; what a dead worker had open counts no more.
 */
import type { Affinity } from "../balance/client-affinity.ts";
import { type Healths, LocalHealths, type MemberHealth } from "../balance/member.ts";
import { SharedAffinity } from "./shared-affinity.ts";
import { COLUMN, type SharedCell, type SharedTable, WORD } from "./shared-table.ts";

export class SharedHealths implements Healths {
  readonly #table: SharedTable;
  readonly #onFull: () => void;
  readonly #local = new LocalHealths();

  /** `onFull`: an endpoint is counted in this worker alone, as the table has no room for it. */
  constructor(table: SharedTable, onFull: () => void) {
    this.#table = table;
    this.#onFull = onFull;
  }

  of(key: string): MemberHealth {
    const cell = this.#table.cell(`endpoint ${key}`);
    if (cell) return new SharedHealth(this.#table, cell);
    this.#onFull();
    return this.#local.of();
  }

  affinity(key: string): Affinity {
    return new SharedAffinity(this.#table, key, this.#onFull);
  }

  get version(): number {
    return this.#table.healthVersion;
  }

  changed(): void {
    this.#table.healthChanged();
  }

  exclusively<Result>(work: () => Result): Result {
    return this.#table.lockHealth(work);
  }
}

class SharedHealth implements MemberHealth {
  readonly #table: SharedTable;
  readonly #cell: SharedCell;

  constructor(table: SharedTable, cell: SharedCell) {
    this.#table = table;
    this.#cell = cell;
  }

  get open(): number {
    return this.#cell.sum(COLUMN.open);
  }

  enter(most: number): boolean {
    const { worker } = this.#table;
    return this.#cell.exclusively(() => {
      if (most > 0 && this.open >= most) return false;
      this.#cell.add(worker, COLUMN.open, 1);
      return true;
    });
  }

  leave(): void {
    this.#cell.add(this.#table.worker, COLUMN.open, -1);
  }

  get active(): number {
    return this.#cell.sum(COLUMN.active);
  }

  begin(most: number): boolean {
    const { worker } = this.#table;
    if (most === 0) {
      this.#cell.add(worker, COLUMN.active, 1);
      return true;
    }
    return this.#cell.exclusively(() => {
      if (this.active >= most) return false;
      this.#cell.add(worker, COLUMN.active, 1);
      return true;
    });
  }

  finish(): void {
    this.#cell.add(this.#table.worker, COLUMN.active, -1);
  }

  get serverErrors(): number {
    return this.#cell.get(WORD.serverErrors);
  }

  set serverErrors(count: number) {
    this.#cell.set(WORD.serverErrors, count);
  }

  get gatewayErrors(): number {
    return this.#cell.get(WORD.gatewayErrors);
  }

  set gatewayErrors(count: number) {
    this.#cell.set(WORD.gatewayErrors, count);
  }

  get answers(): number {
    return this.#cell.sum(COLUMN.answers);
  }

  get failedAnswers(): number {
    return this.#cell.sum(COLUMN.failedAnswers);
  }

  countAnswer(isFailed: boolean): void {
    const { worker } = this.#table;
    this.#cell.add(worker, COLUMN.answers, 1);
    if (isFailed) this.#cell.add(worker, COLUMN.failedAnswers, 1);
  }

  get failures(): number {
    return this.#cell.get(WORD.failures);
  }

  set failures(count: number) {
    this.#cell.set(WORD.failures, count);
  }

  get ejections(): number {
    return this.#cell.get(WORD.ejections);
  }

  set ejections(count: number) {
    this.#cell.set(WORD.ejections, count);
  }

  get ejectedUntilMs(): number {
    const units = this.#cell.get(WORD.until);
    return units === 0 ? 0 : this.#table.timeOf(units);
  }

  set ejectedUntilMs(atMs: number) {
    this.#cell.set(WORD.until, atMs === 0 ? 0 : this.#table.unitsOf(atMs));
  }

  /** For any worker: each checks by its own tunnels. */
  get isFailing(): boolean {
    return this.#cell.sum(COLUMN.failing) > 0;
  }

  set isFailing(isFailing: boolean) {
    const { worker } = this.#table;
    const before = this.#cell.of(worker, COLUMN.failing);
    this.#cell.add(worker, COLUMN.failing, (isFailing ? 1 : 0) - before);
  }
}
