/**
 * What one more try of a request takes up beside its own: a place at another endpoint, a slot of the Service's
 * connections, a place among its requests, a pass of its circuit, and one of its budget. All of it or nothing, and never
 * waited for.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { RequestHead } from "../http/message.ts";
import type { TryFailure } from "../http/request-way.ts";
import { connectionLimitsOf } from "./connection-limits.ts";
import type { EndpointAccount } from "./endpoint-account.ts";
import { Holding } from "./holding.ts";
import { type Chosen, serviceNameOf } from "./open-for-request.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import type { RequestBinding } from "./request-binding.ts";
import type { GuardedTry, RequestGuard } from "./request-guard.ts";
import type { TriedCall, TryEndpoints } from "./try-endpoints.ts";

/** RFC 9110 9.2.1. */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** A session stays where it is, and nobody waits for the answer to a copy. */
export function mayHedge(
  { method }: RequestHead,
  { version, isMirror }: { readonly version: HttpVersion; readonly isMirror?: true },
  binding: RequestBinding | undefined,
): boolean {
  const isAlone = version === "http1" && isMirror === undefined && !binding?.isBound;
  return isAlone && SAFE.has(method);
}

interface HedgeWish extends Pick<TriedCall, "call"> {
  readonly guard: RequestGuard;
  readonly endpoints: TryEndpoints;
  readonly account: EndpointAccount;
  /** Endpoints that the request was sent to already. */
  readonly but: readonly string[];
}

/** `undefined`: there is no such endpoint, or something is full. */
export function takeHedgePlace(pod: OutboundPod, wish: HedgeWish): HedgePlace | undefined {
  const { guard, endpoints, account, but } = wish;
  const route = endpoints.chooseBeside(account, but);
  if (!route) return undefined;
  const holding = holdingAt(pod, wish, route);
  const guarded = holding && guard.hedge();
  if (guarded) return new HedgePlace(wish, { route, holding, guarded });
  holding?.end();
  account.leave();
  return undefined;
}

function holdingAt(
  { slots, view }: OutboundPod,
  { call }: HedgeWish,
  { balanced }: Chosen,
): Holding | undefined {
  const service = serviceNameOf(call);
  if (!slots.tryTake(service, connectionLimitsOf(view, call.service))) return undefined;
  const holding = new Holding(slots, service);
  if (!balanced || holding.moveTo(balanced.member, balanced.balancer.maxPerEndpoint)) {
    return holding;
  }
  holding.end();
  return undefined;
}

interface Taken {
  readonly route: Chosen;
  readonly holding: Holding;
  readonly guarded: GuardedTry;
}

export class HedgePlace {
  readonly account: EndpointAccount;
  readonly route: Chosen;
  readonly holding: Holding;
  readonly guarded: GuardedTry;
  readonly #guard: RequestGuard;

  constructor({ account, guard }: HedgeWish, { route, holding, guarded }: Taken) {
    this.account = account;
    this.route = route;
    this.holding = holding;
    this.guarded = guarded;
    this.#guard = guard;
  }

  /** All is given back. `failure`: how the try went; absent where nobody waited for it. */
  end(failure?: TryFailure): void {
    if (failure) this.account.again(failure);
    this.account.leave();
    this.holding.end();
    this.#guard.hedgeEnded(this.guarded, failure);
  }
}
