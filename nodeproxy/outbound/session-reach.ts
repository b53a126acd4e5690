/**
 * The way of one request of HTTP/2 to a session: of the endpoint that was chosen, together with other requests of the
 * pod or as the first; of another endpoint where a limit of the Service allows no further session.
 *
 * Limits count sessions that carry requests. Where there is no limit an endpoint counts its requests, so that the least
 * busy one is known.
 */

import type { MemberHealth } from "../balance/member.ts";
import type { Reaching } from "../http/http1-back.ts";
import type { CarrierUser, Http2Carrier } from "../http/http2-carrier.ts";
import type { Route, ServiceCall } from "./choose-upstream.ts";
import { connectionLimitsOf } from "./connection-limits.ts";
import { Holding } from "./holding.ts";
import type { SessionWaiter } from "./http2-pool.ts";
import { type Chosen, endpointRefOf, openForRequest, serviceNameOf } from "./open-for-request.ts";
import { statusOfUnreachable } from "./open-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";

/** What a request knows of the endpoints that it was sent to. */
export interface EndpointChoice {
  choose(): Route;
  /** Whether there is room at that endpoint, which was not chosen; it counts there then. */
  mayTake(route: Chosen): boolean;
  /** It goes there. */
  took(route: Chosen): void;
  /** It could not: milliseconds until another is tried, `undefined` for none. */
  missed(route: Chosen, code: string): number | undefined;
  /** The same where there is no other endpoint. */
  onceMore(code: string): number | undefined;
}

interface ReachWish {
  readonly call: ServiceCall;
  readonly choice: EndpointChoice;
  readonly user: CarrierUser;
  /** Requests that one session may carry; 0: no limit. */
  readonly perConnection: number;
}

export class SessionReach implements Reaching, SessionWaiter {
  readonly #pod: OutboundPod;
  readonly #wish: ReachWish;
  #route: Chosen | undefined;
  #isDropped = false;
  /** A slot of the Service that no session has yet. */
  #hasSlot = false;
  #load: MemberHealth | undefined;

  constructor(pod: OutboundPod, wish: ReachWish) {
    this.#pod = pod;
    this.#wish = wish;
  }

  /** `code`: why the try before came to nothing. */
  next(code = ""): void {
    const { choice, call } = this.#wish;
    for (;;) {
      const route = choice.choose();
      if (route.kind === "none") {
        if (!this.#goAlong()) this.#goOn(code || route.reason, choice.onceMore(code));
        return;
      }
      this.#enter(route);
      if (this.#pod.pools.http2.share(endpointRefOf(call, route), this)) {
        this.#releaseSlot();
        return;
      }
      switch (this.#begin(route)) {
        case "begun":
          return;
        case "waits":
          if (!this.#goAlong()) void this.#wait();
          return;
        case "full":
          // Another worker may have taken its last place since it was chosen.
          break;
      }
    }
  }

  get most(): number {
    return this.#wish.perConnection;
  }

  /** It is not wanted any more, or over. */
  drop(): void {
    this.#isDropped = true;
    this.#load?.leave();
    this.#load = undefined;
  }

  onSession(carrier: Http2Carrier): void {
    if (this.#isDropped || !this.#route) return;
    this.#wish.choice.took(this.#route);
    this.#wish.user.onCarrier(carrier);
  }

  onNone(code: string): void {
    if (this.#isDropped || !this.#route) return;
    this.#goOn(code, code === "" ? 0 : this.#wish.choice.missed(this.#route, code));
  }

  /** `waitMs`: until the next try; `undefined`: there is none. */
  #goOn(code: string, waitMs: number | undefined): void {
    if (waitMs === undefined) this.#fail(code);
    else if (waitMs === 0) this.next(code);
    else {
      setTimeout(() => {
        if (!this.#isDropped) this.next(code);
      }, waitMs);
    }
  }

  get #service(): string {
    return serviceNameOf(this.#wish.call);
  }

  get #limits() {
    return connectionLimitsOf(this.#pod.view, this.#wish.call.service);
  }

  #begin(route: Chosen): "begun" | "waits" | "full" {
    const { pools, slots } = this.#pod;
    const service = this.#service;
    if (!this.#hasSlot && !slots.tryTake(service, this.#limits)) return "waits";
    this.#hasSlot = false;
    const holding = new Holding(slots, service);
    const { balanced } = route;
    const most = balanced?.balancer.maxPerEndpoint ?? 0;
    if (balanced && most > 0 && !holding.moveTo(balanced.member, most)) {
      holding.end();
      return "full";
    }
    pools.http2.begin(endpointRefOf(this.#wish.call, route), this, {
      route,
      holding,
      open: () => openForRequest(this.#pod, route, service),
    });
    return "begun";
  }

  /** With other requests to whichever endpoint. False: none has room. */
  #goAlong(): boolean {
    const busy = this.#pod.pools.http2.anyBusy(this.#service, this.#wish.call.port);
    if (!busy || !this.#wish.choice.mayTake(busy.route)) return false;
    this.#releaseSlot();
    this.#enter(busy.route);
    busy.use(this);
    return true;
  }

  async #wait(): Promise<void> {
    const end = await this.#pod.slots.wait(this.#service, this.#limits);
    this.#hasSlot = end === "taken";
    if (this.#isDropped) this.#releaseSlot();
    else if (end === "taken") this.next();
    else this.#fail(end);
  }

  #releaseSlot(): void {
    if (this.#hasSlot) this.#pod.slots.release(this.#service);
    this.#hasSlot = false;
  }

  #enter(route: Chosen): void {
    this.#route = route;
    this.#load?.leave();
    const { balanced } = route;
    this.#load = balanced?.balancer.maxPerEndpoint === 0 ? balanced.member.health : undefined;
    this.#load?.enter(0);
  }

  #fail(code: string): void {
    this.#releaseSlot();
    if (!this.#isDropped) this.#wish.user.onUnreachable(code, statusOfUnreachable(code));
  }
}
