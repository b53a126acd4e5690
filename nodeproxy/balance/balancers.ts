/** The balancer of each port of each Service that pods of this node have called. */
import type { EndpointSlice, Service } from "../../core/model/service.ts";
import type { Traffic } from "../../core/model/traffic-settings.ts";
import { Balancer } from "./balancer.ts";
import type { Healths } from "./member.ts";
import type { Place } from "./usable-endpoints.ts";

/** What `state/current.ts` knows of a Service's endpoints. */
export interface MemberView {
  slicesOf(service: Service): readonly EndpointSlice[];
  trafficOf(service: Service): Traffic | undefined;
  weightOf(workload: string): number;
  /** Changes whenever a weight does. */
  readonly weightsVersion: number;
}

export interface BalancedPort extends Place {
  readonly service: Service;
  readonly portName: string;
}

export class Balancers {
  readonly #view: MemberView;
  readonly #random: () => number;
  readonly #healths: Healths | undefined;
  readonly #weightOf: (workload: string) => number;
  readonly #services = new Map<string, Map<string, Balancer>>();

  constructor(view: MemberView, random: () => number, healths?: Healths) {
    this.#view = view;
    this.#random = random;
    this.#healths = healths;
    this.#weightOf = (workload) => view.weightOf(workload);
  }

  /** With the members that there are now. */
  at({ service, portName, node, zone }: BalancedPort, nowMs: number): Balancer {
    const ref = `${service.namespace}/${service.name}`;
    const ports = this.#services.get(ref) ?? new Map<string, Balancer>();
    if (ports.size === 0) this.#services.set(ref, ports);
    const balancer = ports.get(portName) ?? new Balancer(portName, this.#random, this.#healths);
    ports.set(portName, balancer);
    const { weightsVersion } = this.#view;
    const traffic = this.#view.trafficOf(service);
    const algorithm = traffic?.algorithm ?? service.algorithm;
    const membership = {
      service,
      traffic,
      slices: this.#view.slicesOf(service),
      node,
      zone,
      weightsVersion: algorithm === "weighted_round_robin" ? weightsVersion : 0,
      weightOf: this.#weightOf,
    };
    balancer.refresh(membership, nowMs);
    return balancer;
  }

  /** Forgets those of Services that are gone. */
  retain(isThere: (service: string) => boolean): void {
    for (const ref of this.#services.keys()) if (!isThere(ref)) this.#services.delete(ref);
  }
}
