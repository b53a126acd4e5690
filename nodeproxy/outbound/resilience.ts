/** What a node proxy knows of the trouble of Services, and whom it tells; one for all pods that it serves. */
import type { ResilienceEvent } from "../resilience/events.ts";
import type { Guards } from "../resilience/guards.ts";

export interface Resilience {
  readonly guards: Guards;
  /** `service`: `namespace/name`. */
  tell(service: string, event: ResilienceEvent): void;
}
