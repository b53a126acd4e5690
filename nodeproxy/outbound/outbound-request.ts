/**
 * The way of one request that a pod sends to a Service: an endpoint, chosen for it alone, and a connection to it that
 * is the pod's; another endpoint where the first does not take it, as for a connection.
 *
 * Sent again is only what no server has begun, or what may be done twice (RFC 9110 9.2.2), and that once.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import type { ReadLane } from "../flow/read-lane.ts";
import type { BackUser, Reaching } from "../http/http1-back.ts";
import type { CarrierUser } from "../http/http2-carrier.ts";
import type { ExchangeOutcome, RequestHead, ResponseHead } from "../http/message.ts";
import type { HedgedTry, RequestWay, TryFailure } from "../http/request-way.ts";
import { endpointKey, type ServiceCall } from "./choose-upstream.ts";
import { connectHttp1, tellUnreachable, type Waiting, waitingFor } from "./connect-http1.ts";
import { connectionLimitsOf } from "./connection-limits.ts";
import { EndpointAccount } from "./endpoint-account.ts";
import { type HedgePlace, mayHedge, takeHedgePlace } from "./hedge-place.ts";
import { Holding } from "./holding.ts";
import { type Chosen, serviceNameOf } from "./open-for-request.ts";
import { isEndpointFault, isVerdict } from "./open-upstream.ts";
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

/** Of a body that may be sent twice. */
const KEPT_OCTETS = 64 << 10;
/** Of the pod: another endpoint is no help. */
const OWN_LIMIT = "pod_connections_exhausted";

export class OutboundRequest implements RequestWay {
  readonly version: HttpVersion;
  readonly keptOctets: number;
  readonly requestTimeoutMs: number;
  readonly tryTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly changeResponse: (head: ResponseHead) => ResponseHead;
  readonly onWhole: RequestWay["onWhole"];
  readonly hedging: RequestWay["hedging"];
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
  #account: EndpointAccount;
  /** By hedges, and those beside which they were. */
  readonly #sentTo: string[] = [];

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
    this.version = routed.version;
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
    this.#account = this.#newAccount();
    const { hedge } = http;
    if (hedge && mayHedge(head, routed, this.#binding)) {
      const left = (failure: TryFailure) => this.#left(failure);
      this.hedging = { ...hedge, begin: () => this.#hedge(), left };
    }
  }

  reach(user: BackUser): Reaching {
    const waiting = waitingFor(user);
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

  #newAccount(): EndpointAccount {
    return new EndpointAccount(({ member, reason }) => {
      this.#caller.pod.onEjected(this.#service, member.key, reason);
    });
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
    if (end !== "taken") tellUnreachable(waiting, end);
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
      this.#connect(waiting, route, (failed) => this.#failed(waiting, route, failed));
      return;
    }
  }

  #connect(waiting: Waiting, route: Chosen, failed: (code: string) => void): void {
    const isNew = this.#endpoints.wasLostAt(endpointKey(route.upstream.to));
    const wish = { call: this.#call, route, most: this.#perConnection, isNew, failed };
    connectHttp1(this.#caller, waiting, wish);
  }

  #failed(waiting: Waiting, route: Chosen, code: string): void {
    this.#goOn(waiting, code, this.#waitAfter(route, code));
  }

  /** Beside what is under way, at an endpoint that it was not sent to. */
  #hedge(): HedgedTry | undefined {
    const at = this.#chosen;
    if (!at) return undefined;
    this.#sentTo.push(endpointKey(at.upstream.to));
    const place = takeHedgePlace(this.#caller.pod, {
      call: this.#call,
      guard: this.#guard,
      endpoints: this.#endpoints,
      account: this.#newAccount(),
      but: this.#sentTo,
    });
    if (!place) return undefined;
    const { account, route } = place;
    this.#sentTo.push(endpointKey(route.upstream.to));
    return {
      reach: (user) => {
        const waiting = waitingFor(user);
        this.#connect(waiting, route, (code) => {
          if (isEndpointFault(code)) account.missed(503);
          tellUnreachable(waiting, code);
        });
        return waiting;
      },
      adopt: () => this.#adopt(place),
      end: (failure) => place.end(failure),
    };
  }

  #adopt({ account, route, holding, guarded }: HedgePlace): void {
    this.#account.overtaken();
    this.#holding?.end();
    this.#guard.adopt(guarded);
    this.#account = account;
    this.#holding = holding;
    this.#chosen = route;
  }

  /** What it has taken up is not needed any more: hedges have their own. */
  #left(failure: TryFailure): void {
    this.#account.again(failure);
    this.#account.leave();
    this.#guard.left(failure);
    this.#holding?.end();
    this.#holding = undefined;
  }

  /** `waitMs`: until the next try; `undefined`: there is none. */
  #goOn(waiting: Waiting, code: string, waitMs: number | undefined): void {
    if (waitMs === undefined) tellUnreachable(waiting, code);
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

function unchanged(head: ResponseHead): ResponseHead {
  return head;
}
