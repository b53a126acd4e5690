/**
 * Which endpoint does the next try of one request go to? One with a place for it that could be reached and did not lose
 * it, as far as there is such a one. Opens nothing.
 */
import type { Balancer, CallingRequest } from "../balance/balancer.ts";
import { chooseEndpoint, endpointKey, type Route, type ServiceCall } from "./choose-upstream.ts";
import type { EndpointAccount } from "./endpoint-account.ts";
import type { Chosen } from "./open-for-request.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import { keepChecked } from "./reach-endpoint.ts";
import type { RequestBinding } from "./request-binding.ts";

const UNBOUND: CallingRequest = { hashed: "", bound: "" };

export interface TriedCall {
  readonly call: ServiceCall;
  readonly binding: RequestBinding | undefined;
  /** Requests that may be under way to each; 0: no limit. */
  readonly mostPerEndpoint: number;
}

export class TryEndpoints {
  readonly #pod: OutboundPod;
  readonly #tried: TriedCall;
  /** That could not be reached. */
  readonly #missed: string[] = [];
  /** Of the connection that was lost. */
  #lostAt: string | undefined;

  constructor(pod: OutboundPod, tried: TriedCall) {
    this.#pod = pod;
    this.#tried = tried;
  }

  /** With a place at the endpoint. */
  choose(account: EndpointAccount): Route {
    const full: string[] = [];
    for (;;) {
      const route = this.#chooseBut(full);
      if (route.kind === "none") {
        account.leave();
        if (full.length === 0) return route;
        const { service } = this.#tried.call;
        return { kind: "none", reason: "endpoint_requests_exhausted", service };
      }
      if (this.enter(account, route)) return route;
      full.push(endpointKey(route.upstream.to));
    }
  }

  /** With a place at one that is none of those. */
  chooseBeside(account: EndpointAccount, those: readonly string[]): Chosen | undefined {
    const but = [...this.#missed, ...those];
    if (this.#lostAt !== undefined) but.push(this.#lostAt);
    for (;;) {
      const route = this.#chooseAmong(but);
      if (route.kind === "none") return undefined;
      const key = endpointKey(route.upstream.to);
      // What is not balanced has one endpoint.
      if (!route.balanced || but.includes(key)) return undefined;
      if (this.enter(account, route)) return route;
      but.push(key);
    }
  }

  /** Counts at that endpoint, and no longer at the one before. False: it has as many requests as may be. */
  enter(account: EndpointAccount, { balanced }: Chosen): boolean {
    if (balanced) keepChecked(this.#pod, balanced);
    return account.enter(balanced, this.#tried.mostPerEndpoint);
  }

  /** It could not be reached. How many could not. */
  missedAt(key: string): number {
    return this.#missed.push(key);
  }

  /** All are there to be tried once more. */
  forgetMissed(): void {
    this.#missed.splice(0);
  }

  /** "": none is known. */
  lostAt(key: string): void {
    this.#lostAt = key;
  }

  wasLostAt(key: string): boolean {
    return key === this.#lostAt;
  }

  /** Not where the request was lost, if there is anywhere else. */
  #chooseBut(full: readonly string[]): Route {
    const tried = full.length === 0 ? this.#missed : [...this.#missed, ...full];
    if (this.#lostAt === undefined) return this.#chooseAmong(tried);
    const route = this.#chooseAmong([...tried, this.#lostAt]);
    return route.kind === "upstream" ? route : this.#chooseAmong(tried);
  }

  #chooseAmong(tried: readonly string[]): Route {
    const pod = this.#pod;
    const { call, binding } = this.#tried;
    return chooseEndpoint(pod.view, call, {
      balancers: pod.balancers,
      node: pod.node,
      zone: pod.zone(),
      nodeAddresses: [],
      address: pod.addresses()[0] ?? "",
      nowMs: performance.now(),
      requestAt: (balancer: Balancer) => binding?.callingAt(balancer) ?? UNBOUND,
      tried,
    });
  }
}
