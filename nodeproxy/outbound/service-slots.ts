/**
 * How many connections this node proxy has open to each Service, and who waits for one to end: a
 * TrafficPolicy's `maxConnections` with its bounded queue. First come, first served.
 */
import type { ConnectionLimits } from "../../core/model/traffic-settings.ts";

export type WaitEnd = "taken" | "service_pending_timeout" | "service_connections_exhausted";

interface Waiter {
  readonly maxConnections: number;
  readonly take: () => void;
}

interface Slots {
  open: number;
  /** In the order of their coming. */
  readonly waiting: Set<Waiter>;
}

export class ServiceSlots {
  readonly #services = new Map<string, Slots>();

  /** True where the connection may go on at once; `release` it then. */
  tryTake(service: string, { maxConnections }: ConnectionLimits): boolean {
    const slots = this.#slots(service);
    // Whoever waits was there first.
    const isFree = slots.open < maxConnections && slots.waiting.size === 0;
    if (maxConnections !== 0 && !isFree) return false;
    slots.open += 1;
    return true;
  }

  /** For one that could not at once. */
  wait(service: string, limits: ConnectionLimits): Promise<WaitEnd> {
    const { waiting } = this.#slots(service);
    const { maxConnections, maxPending, pendingTimeoutMs } = limits;
    if (waiting.size >= maxPending) return Promise.resolve("service_connections_exhausted");
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        waiting.delete(waiter);
        this.#forgetIfIdle(service);
        resolve("service_pending_timeout");
      }, pendingTimeoutMs);
      const waiter = {
        maxConnections,
        take: () => {
          clearTimeout(timer);
          resolve("taken");
        },
      };
      waiting.add(waiter);
    });
  }

  release(service: string): void {
    const slots = this.#slots(service);
    slots.open -= 1;
    for (const waiter of slots.waiting) {
      if (slots.open >= waiter.maxConnections) break;
      slots.waiting.delete(waiter);
      slots.open += 1;
      waiter.take();
    }
    this.#forgetIfIdle(service);
  }

  #slots(service: string): Slots {
    const known = this.#services.get(service);
    if (known) return known;
    const slots: Slots = { open: 0, waiting: new Set() };
    this.#services.set(service, slots);
    return slots;
  }

  #forgetIfIdle(service: string): void {
    const slots = this.#services.get(service);
    if (slots?.open === 0 && slots.waiting.size === 0) this.#services.delete(service);
  }
}
