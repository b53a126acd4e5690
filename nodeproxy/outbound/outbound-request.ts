/**
 * The way of one request that a pod sends to a Service: an endpoint, chosen for it alone, and a connection to it that
 * is the pod's; another endpoint where the first does not take it, as for a connection.
 *
 * Sent again is only what no server has begun, or what may be done twice (RFC 9110 9.2.2), and that once.
 */
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import type { ReadLane } from "../flow/read-lane.ts";
import type { BackUser, Reaching } from "../http/http1-back.ts";
import type { CarrierUser } from "../http/http2-carrier.ts";
import type { ExchangeOutcome, RequestHead, ResponseHead } from "../http/message.ts";
import type { RequestWay, TryFailure } from "../http/request-way.ts";
import { endpointKey, type ServiceCall } from "./choose-upstream.ts";
import { connectionLimitsOf } from "./connection-limits.ts";
import { EndpointAccount } from "./endpoint-account.ts";
import { Holding } from "./holding.ts";
import { type Chosen, endpointRefOf, openForRequest, serviceNameOf } from "./open-for-request.ts";
import { isEndpointFault, isVerdict, statusOfUnreachable } from "./open-upstream.ts";
import { bindingOf, type RequestBinding } from "./request-binding.ts";
import { type CallerConnection, reportRequest } from "./request-facts.ts";
import type { RequestGuard } from "./request-guard.ts";
import type { RoutedRequest } from "./route-request.ts";
import { SessionReach } from "./session-reach.ts";
import { TryEndpoints } from "./try-endpoints.ts";

/** A request to be sent, and what becomes of it besides. */
export interface SentRequest extends RoutedRequest {
  readonly guard: RequestGuard;
  /** Once all of it has come: `RequestWay`. */
  readonly onWhole?: RequestWay["onWhole"];
  /** A copy, of whose answer nobody hears. */
  readonly isMirror?: true;
}

export interface RequestCaller extends CallerConnection {
  readonly lane: ReadLane;
}

/** Who waits for a connection, until it has one or does not want it any more. */
interface Waiting extends Reaching {
  readonly user: BackUser;
  isDropped: boolean;
}

/** Of a body that may be sent twice. */
const KEPT_OCTETS = 64 << 10;
/** Of the pod: another endpoint is no help. */
const OWN_LIMIT = "pod_connections_exhausted";

export class OutboundRequest implements RequestWay {
  readonly keptOctets: number;
  readonly requestTimeoutMs: number;
  readonly tryTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly changeResponse: (head: ResponseHead) => ResponseHead;
  readonly onWhole: RequestWay["onWhole"];
  readonly #caller: RequestCaller;
  readonly #head: RequestHead;
  readonly #routed: SentRequest;
  readonly #call: ServiceCall;
  readonly #sinceMs = Date.now();
  readonly #guard: RequestGuard;
  readonly #endpoints: TryEndpoints;
  #holding: Holding | undefined;
  #chosen: Chosen | undefined;
  #session: SessionReach | undefined;
  readonly #binding: RequestBinding | undefined;
  readonly #account: EndpointAccount;

  /** `head`: as the caller sent it. */
  constructor(caller: RequestCaller, head: RequestHead, routed: SentRequest) {
    const { rule, guard } = routed;
    const { http, waitedMs } = guard;
    this.#caller = caller;
    this.#head = head;
    this.#routed = routed;
    this.#call = routed.call;
    this.#guard = guard;
    this.onWhole = routed.onWhole;
    // Over HTTP/2 a server says what it has not looked at.
    const isKept = guard.isIdempotent || routed.version === "http2" || routed.onWhole !== undefined;
    this.keptOctets = isKept ? KEPT_OCTETS : 0;
    this.requestTimeoutMs = restOf(rule?.requestTimeoutMs || http.requestTimeoutMs, waitedMs);
    this.tryTimeoutMs = rule?.backendTimeoutMs || http.tryTimeoutMs;
    this.idleTimeoutMs = http.idleTimeoutMs;
    const { changeResponse = unchanged } = routed;
    this.changeResponse = (answer) => this.#answered(changeResponse(answer), answer);
    const { pod } = caller;
    this.#binding = bindingOf(pod.view, head, routed);
    const mostPerEndpoint = http.limits.maxRequestsPerEndpoint;
    this.#endpoints = new TryEndpoints(pod, {
      call: this.#call,
      binding: this.#binding,
      mostPerEndpoint,
    });
    this.#account = new EndpointAccount(({ member, reason }) => {
      pod.onEjected(this.#service, member.key, reason);
    });
  }

  reach(user: BackUser): Reaching {
    const waiting: Waiting = {
      user,
      isDropped: false,
      drop() {
        waiting.isDropped = true;
      },
    };
    const { slots, view } = this.#caller.pod;
    const limits = connectionLimitsOf(view, this.#call.service);
    if (this.#holding || slots.tryTake(this.#service, limits)) this.#next(waiting, "");
    else void this.#wait(waiting);
    return waiting;
  }

  reachCarrier(user: CarrierUser): Reaching {
    this.#session?.drop();
    const choice = {
      choose: () => this.#endpoints.choose(this.#account),
      took: (route: Chosen) => {
        this.#chosen = route;
      },
      mayTake: (route: Chosen) => this.#endpoints.enter(this.#account, route),
      missed: (route: Chosen, code: string) => this.#waitAfter(route, code),
      onceMore: (code: string) => this.#onceMore(code),
    };
    const wish = { call: this.#call, choice, user, perConnection: this.#perConnection };
    this.#session = new SessionReach(this.#caller.pod, wish);
    this.#session.next();
    return this.#session;
  }

  again(failure: TryFailure): number | undefined {
    this.#account.again(failure);
    const waitMs = this.#guard.again(failure);
    if (waitMs !== undefined) this.#endpoints.lostAt(this.#chosen?.balanced?.member.key ?? "");
    return waitMs;
  }

  done(outcome: ExchangeOutcome): void {
    this.#holding?.end();
    this.#session?.drop();
    this.#account.done(outcome);
    this.#guard.done(outcome);
    const { rule, isMirror } = this.#routed;
    const place = { service: this.#service, upstream: this.#chosen?.upstream, rule, isMirror };
    reportRequest(this.#caller, this.#head, { ...place, sinceMs: this.#sinceMs, outcome });
  }

  /** With what brings the client's next request to the same endpoint, and that told how it answered. */
  #answered(answer: ResponseHead, { status, fields }: ResponseHead): ResponseHead {
    this.#account.answered({ status, fields });
    this.#guard.answered({ status, fields });
    const balanced = this.#chosen?.balanced;
    const told = balanced && this.#binding?.fieldsFrom(balanced.balancer, balanced.member);
    return told && told.length > 0 ? { ...answer, fields: [...answer.fields, ...told] } : answer;
  }

  get #service(): string {
    return serviceNameOf(this.#call);
  }

  get #perConnection(): number {
    return this.#guard.http.limits.maxRequestsPerConnection;
  }

  async #wait(waiting: Waiting): Promise<void> {
    const { slots, view } = this.#caller.pod;
    const limits = connectionLimitsOf(view, this.#call.service);
    const end = await slots.wait(this.#service, limits);
    if (end !== "taken") fail(waiting, end);
    else if (waiting.isDropped) slots.release(this.#service);
    else this.#next(waiting, "");
  }

  /** With a slot of the Service. `code`: why the try before came to nothing. */
  #next(waiting: Waiting, code: string): void {
    const { pod } = this.#caller;
    this.#holding ??= new Holding(pod.slots, this.#service);
    for (;;) {
      const route = this.#endpoints.choose(this.#account);
      if (route.kind === "none") {
        this.#goOn(waiting, code || route.reason, this.#onceMore(code));
        return;
      }
      const { balanced } = route;
      // Another worker may have taken its last place since it was chosen.
      if (balanced && !this.#holding.moveTo(balanced.member, balanced.balancer.maxPerEndpoint)) {
        continue;
      }
      this.#chosen = route;
      const ref = endpointRefOf(this.#call, route);
      // What waits for the same endpoint went the way of the one that was lost, maybe.
      const isLost = this.#endpoints.wasLostAt(ref.key);
      const back = isLost ? undefined : pod.pools.http1.take(ref, this.#perConnection);
      if (back) back.use(waiting.user);
      else void this.#open(waiting, route);
      return;
    }
  }

  async #open(waiting: Waiting, route: Chosen): Promise<void> {
    const { pod, lane } = this.#caller;
    const opened = await openForRequest(pod, route, this.#service);
    if (typeof opened === "string") {
      this.#failed(waiting, route, opened);
      return;
    }
    const { side, lease } = opened;
    const back = pod.pools.http1.add(endpointRefOf(this.#call, route), side, {
      lease,
      lane,
      most: this.#perConnection,
    });
    if (waiting.isDropped) pod.pools.http1.onFree(back);
    else back.use(waiting.user);
  }

  #failed(waiting: Waiting, route: Chosen, code: string): void {
    if (!waiting.isDropped) this.#goOn(waiting, code, this.#waitAfter(route, code));
  }

  /** `waitMs`: until the next try; `undefined`: there is none. */
  #goOn(waiting: Waiting, code: string, waitMs: number | undefined): void {
    if (waitMs === undefined) fail(waiting, code);
    else if (waitMs === 0) this.#next(waiting, code);
    else {
      setTimeout(() => {
        if (!waiting.isDropped) this.#next(waiting, code);
      }, waitMs);
    }
  }

  /** Milliseconds until another is tried; `undefined`: none is. */
  #waitAfter({ settings, upstream }: Chosen, code: string): number | undefined {
    const { retries } = settings ?? DEFAULT_TRAFFIC_SETTINGS;
    const missed = this.#endpoints.missedAt(endpointKey(upstream.to));
    if (isEndpointFault(code)) this.#account.missed(503);
    this.#account.leave();
    if (code === OWN_LIMIT || isVerdict(code)) return undefined;
    return missed <= retries ? 0 : this.#onceMore(code);
  }

  /** The same, once there is no other endpoint: all are there to be tried once more where the rule asks for it. */
  #onceMore(code: string): number | undefined {
    if (code === "" || !isEndpointFault(code)) return undefined;
    const waitMs = this.#guard.again({ kind: "unreachable" });
    if (waitMs !== undefined) this.#endpoints.forgetMissed();
    return waitMs;
  }
}

/** Of a time, so much of which is over; 0: none. */
function restOf(timeoutMs: number, overMs: number): number {
  return timeoutMs === 0 ? 0 : Math.max(1, timeoutMs - overMs);
}

function fail({ isDropped, user }: Waiting, code: string): void {
  if (!isDropped) user.onUnreachable(code, statusOfUnreachable(code));
}

function unchanged(head: ResponseHead): ResponseHead {
  return head;
}
