/** What TrafficPolicies and routes say of Services, as the node proxy knows it. */
import type { ServiceRoutes } from "../../core/model/http-route.ts";
import type { Traffic } from "../../core/model/traffic-settings.ts";
import { MultiIndex } from "./multi-index.ts";

export class TrafficIndex {
  readonly #traffic = new Map<string, Traffic>();
  readonly #byService = new MultiIndex<Traffic>();
  /** By `namespace/name` of their Service. */
  readonly routes = new Map<string, ServiceRoutes>();

  names(): Iterable<string> {
    return this.#traffic.keys();
  }

  put(traffic: Traffic): void {
    this.#traffic.set(traffic.ref, traffic);
    for (const service of traffic.services) this.#byService.add(service, traffic);
  }

  remove(name: string): void {
    const traffic = this.#traffic.get(name);
    for (const service of traffic?.services ?? []) this.#byService.delete(service, traffic);
    this.#traffic.delete(name);
  }

  of(service: string): Traffic | undefined {
    return this.#byService.last(service);
  }
}
