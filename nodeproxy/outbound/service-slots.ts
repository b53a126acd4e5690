/**
 * How many connections this node proxy has open to each Service, and who waits for one to end: a
 * TrafficPolicy's `maxConnections` with its bounded queue. First come, first served.
 */
import type { ConnectionLimits } from "../../core/model/traffic-settings.ts";

export type WaitEnd = "taken" | "service_pending_timeout" | "service_connections_exhausted";

export interface Slots {
  /** True where the connection may go on at once; `release` it then. */
  tryTake(service: string, limits: ConnectionLimits): boolean;
  /** For one that could not at once. */
  wait(service: string, limits: ConnectionLimits): Promise<WaitEnd>;
  release(service: string): void;
  /** Forgets idle ones of Services that are gone. */
  retain(isThere: (service: string) => boolean): void;
}

type Waiter = () => void;

interface Counted {
  open: number;
  /** As the policy said when it was looked at last; 0: no limit. */
  maxConnections: number;
  /** In the order of their coming; told that they may go on. */
  readonly waiting: Set<Waiter>;
}

/** For one thread alone. */
export class ServiceSlots implements Slots {
  readonly #services = new Map<string, Counted>();

  tryTake(service: string, { maxConnections }: ConnectionLimits): boolean {
    const slots = this.#slots(service);
    slots.maxConnections = maxConnections;
    // The limit may have been raised, and whoever waits was there first.
    grant(slots);
    if (!hasRoom(slots)) return false;
    slots.open += 1;
    return true;
  }

  wait(service: string, limits: ConnectionLimits): Promise<WaitEnd> {
    const { waiting } = this.#slots(service);
    const { maxPending, pendingTimeoutMs } = limits;
    if (waiting.size >= maxPending) return Promise.resolve("service_connections_exhausted");
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        waiting.delete(waiter);
        this.#forgetIfIdle(service);
        resolve("service_pending_timeout");
      }, pendingTimeoutMs);
      waiting.add(waiter);
      function waiter(): void {
        clearTimeout(timer);
        resolve("taken");
      }
    });
  }

  release(service: string): void {
    const slots = this.#slots(service);
    slots.open -= 1;
    grant(slots);
    this.#forgetIfIdle(service);
  }

  /** None is kept idle. */
  retain(): void {}

  #slots(service: string): Counted {
    const known = this.#services.get(service);
    if (known) return known;
    const slots: Counted = { open: 0, maxConnections: 0, waiting: new Set() };
    this.#services.set(service, slots);
    return slots;
  }

  #forgetIfIdle(service: string): void {
    const slots = this.#services.get(service);
    if (slots?.open === 0 && slots.waiting.size === 0) this.#services.delete(service);
  }
}

function grant(slots: Counted): void {
  for (const waiter of slots.waiting) {
    if (!hasRoom(slots)) return;
    slots.waiting.delete(waiter);
    slots.open += 1;
    waiter();
  }
}

function hasRoom({ open, maxConnections }: Counted): boolean {
  return maxConnections === 0 || open < maxConnections;
}
