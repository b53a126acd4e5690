/**
 * `outbound/service-slots.ts` over all workers of a traffic process: a limit is one of the node. First come, first
 * served in each worker; workers whose connections wait take turns.
 *
 * Whoever gives a place back grants it at once in the shared memory, and the worker that waits is told afterwards:
 * nobody can overtake in between.
 */
import type { ConnectionLimits } from "../../core/model/traffic-settings.ts";
import { ServiceSlots, type Slots, type WaitEnd } from "../outbound/service-slots.ts";
import { COLUMN, type SharedCell, type SharedTable, WORD } from "./shared-table.ts";

export interface SharedSlotsOptions {
  readonly table: SharedTable;
  /** Has the worker call `granted`. */
  readonly tell: (worker: number, service: string) => void;
  /** A service is counted in this worker alone, as the table has no room for it. */
  readonly onFull: () => void;
}

interface Waiting {
  readonly cell: SharedCell;
  /** In the order of their coming; told that they may go on. */
  readonly waiters: Set<() => void>;
}

export class SharedSlots implements Slots {
  readonly #table: SharedTable;
  readonly #options: SharedSlotsOptions;
  readonly #services = new Map<string, Waiting>();
  readonly #local = new ServiceSlots();

  constructor(options: SharedSlotsOptions) {
    this.#options = options;
    this.#table = options.table;
  }

  tryTake(service: string, limits: ConnectionLimits): boolean {
    const known = this.#of(service);
    if (!known) return this.#local.tryTake(service, limits);
    return this.#exclusively(service, known, (grant) => {
      known.cell.set(WORD.max, limits.maxConnections);
      // The limit may have been raised, and whoever waits was there first.
      grant();
      return this.#take(known.cell);
    });
  }

  wait(service: string, limits: ConnectionLimits): Promise<WaitEnd> {
    const known = this.#of(service);
    if (!known) return this.#local.wait(service, limits);
    const { promise, resolve } = Promise.withResolvers<WaitEnd>();
    const { cell, waiters } = known;
    const timer = setTimeout(() => {
      // It may have been granted and not told yet.
      this.granted(service);
      if (!waiters.delete(waiter)) return;
      cell.exclusively(() => cell.add(this.#table.worker, COLUMN.waiting, -1));
      resolve("service_pending_timeout");
    }, limits.pendingTimeoutMs);
    function waiter(): void {
      clearTimeout(timer);
      resolve("taken");
    }
    this.#exclusively(service, known, () => {
      // Another worker may have given a place back since `tryTake`.
      if (this.#take(cell)) waiter();
      else if (cell.sum(COLUMN.waiting) >= limits.maxPending) {
        clearTimeout(timer);
        resolve("service_connections_exhausted");
      } else {
        waiters.add(waiter);
        cell.add(this.#table.worker, COLUMN.waiting, 1);
      }
    });
    return promise;
  }

  release(service: string): void {
    const known = this.#services.get(service);
    if (!known) {
      this.#local.release(service);
      return;
    }
    this.#exclusively(service, known, (grant) => {
      known.cell.add(this.#table.worker, COLUMN.open, -1);
      grant();
    });
  }

  retain(isThere: (service: string) => boolean): void {
    for (const [service, { cell, waiters }] of this.#services) {
      const isIdle = waiters.size === 0 && cell.of(this.#table.worker, COLUMN.open) === 0;
      if (isIdle && !isThere(service)) this.#services.delete(service);
    }
  }

  /** Another worker has given places to those that wait here. */
  granted(service: string): void {
    const known = this.#services.get(service);
    if (known) this.#goOn(service, known);
  }

  /** A worker is gone, and with it what it had taken. */
  freed(): void {
    for (const [service, known] of this.#services) {
      if (known.waiters.size > 0) this.#exclusively(service, known, (grant) => grant());
    }
  }

  #of(service: string): Waiting | undefined {
    const known = this.#services.get(service);
    if (known) return known;
    const cell = this.#table.cell(`service ${service}`);
    if (!cell) {
      this.#options.onFull();
      return undefined;
    }
    const fresh = { cell, waiters: new Set<() => void>() };
    this.#services.set(service, fresh);
    return fresh;
  }

  /** `grant` gives free places to who waits; those are told when the lock is open again. */
  #exclusively<Result>(
    service: string,
    known: Waiting,
    work: (grant: () => void) => Result,
  ): Result {
    const told = new Set<number>();
    const { cell } = known;
    const result = cell.exclusively(() => work(() => this.#grant(cell, told)));
    for (const worker of told) {
      if (worker === this.#table.worker) this.#goOn(service, known);
      else this.#options.tell(worker, service);
    }
    return result;
  }

  #take(cell: SharedCell): boolean {
    if (cell.sum(COLUMN.waiting) > 0 || !hasRoom(cell)) return false;
    cell.add(this.#table.worker, COLUMN.open, 1);
    return true;
  }

  #grant(cell: SharedCell, told: Set<number>): void {
    const { workers } = this.#table;
    while (hasRoom(cell) && cell.sum(COLUMN.waiting) > 0) {
      const turn = cell.get(WORD.turn);
      cell.set(WORD.turn, (turn + 1) % workers);
      if (cell.of(turn, COLUMN.waiting) === 0) continue;
      cell.add(turn, COLUMN.waiting, -1);
      cell.add(turn, COLUMN.granted, 1);
      cell.add(turn, COLUMN.open, 1);
      told.add(turn);
    }
  }

  #goOn(service: string, { cell, waiters }: Waiting): void {
    const { worker } = this.#table;
    const count = cell.exclusively(() => {
      const granted = cell.of(worker, COLUMN.granted);
      cell.add(worker, COLUMN.granted, -granted);
      return granted;
    });
    const going = [...waiters].slice(0, count);
    for (const waiter of going) {
      waiters.delete(waiter);
      waiter();
    }
    for (let i = going.length; i < count; i += 1) this.release(service);
  }
}

function hasRoom(cell: SharedCell): boolean {
  const most = cell.get(WORD.max);
  return most === 0 || cell.sum(COLUMN.open) < most;
}
