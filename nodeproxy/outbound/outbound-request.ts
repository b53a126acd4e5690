/**
 * The way of one request that a pod sends to a Service: an endpoint, chosen for it alone, and a connection to it that
 * is the pod's; another endpoint where the first does not take it, as for a connection.
 *
 * Sent again is only what no server has begun, or what may be done twice (RFC 9110 9.2.2), and that once.
 */
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import type { Lease } from "../flow/connection-facts.ts";
import type { ReadLane } from "../flow/read-lane.ts";
import type { BackUser, Reaching } from "../http/http1-back.ts";
import type { ExchangeOutcome, RequestHead, ResponseHead } from "../http/message.ts";
import type { RequestWay, TryFailure } from "../http/request-way.ts";
import {
  type Balanced,
  chooseEndpoint,
  endpointKey,
  type Route,
  type ServiceCall,
} from "./choose-upstream.ts";
import { Holding } from "./holding.ts";
import type { EndpointRef } from "./http1-pool.ts";
import { isEndpointFault, isVerdict, openFailureCode, openUpstream } from "./open-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import { createReacher } from "./reach-endpoint.ts";
import { type CallerConnection, reportRequest } from "./request-facts.ts";
import { RequestRetries } from "./request-retries.ts";
import type { RoutedRequest } from "./route-request.ts";

export interface RequestCaller extends CallerConnection {
  readonly lane: ReadLane;
}

type Chosen = Extract<Route, { readonly kind: "upstream" }>;

/** Who waits for a connection, until it has one or does not want it any more. */
interface Waiting extends Reaching {
  readonly user: BackUser;
  isDropped: boolean;
}

/** Of a body that may be sent twice. */
const KEPT_OCTETS = 64 << 10;
const NOTHING_OF_POD = { end(): void {} };

export class OutboundRequest implements RequestWay {
  readonly keptOctets: number;
  readonly requestTimeoutMs: number;
  readonly tryTimeoutMs: number;
  readonly changeResponse: (head: ResponseHead) => ResponseHead;
  readonly #caller: RequestCaller;
  readonly #head: RequestHead;
  readonly #routed: RoutedRequest;
  readonly #call: ServiceCall;
  readonly #sinceMs = Date.now();
  readonly #retries: RequestRetries;
  /** Endpoints that could not be reached. */
  readonly #tried: string[] = [];
  /** Of the connection that was lost. */
  #lostAt: string | undefined;
  #holding: Holding | undefined;
  #chosen: Chosen | undefined;

  /** `head`: as the caller sent it. */
  constructor(caller: RequestCaller, head: RequestHead, routed: RoutedRequest) {
    const { rule } = routed;
    this.#caller = caller;
    this.#head = head;
    this.#routed = routed;
    this.#call = routed.call;
    this.#retries = new RequestRetries(head.method, rule?.retry, Math.random);
    this.keptOctets = this.#retries.isIdempotent ? KEPT_OCTETS : 0;
    this.requestTimeoutMs = rule?.requestTimeoutMs ?? 0;
    this.tryTimeoutMs = rule?.backendTimeoutMs ?? 0;
    this.changeResponse = routed.changeResponse ?? unchanged;
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
    const { service } = this.#call;
    const { limits } = view.trafficOf(service)?.settings ?? DEFAULT_TRAFFIC_SETTINGS;
    if (this.#holding || slots.tryTake(this.#service, limits)) this.#next(waiting, "");
    else void this.#wait(waiting);
    return waiting;
  }

  again(failure: TryFailure): number | undefined {
    const waitMs = this.#retries.again(failure);
    if (waitMs !== undefined) this.#lostAt = this.#chosen?.balanced?.member.key ?? "";
    return waitMs;
  }

  done(outcome: ExchangeOutcome): void {
    this.#holding?.end();
    const { rule } = this.#routed;
    const place = { service: this.#service, upstream: this.#chosen?.upstream, rule };
    reportRequest(this.#caller, this.#head, { ...place, sinceMs: this.#sinceMs, outcome });
  }

  get #service(): string {
    const { namespace, name } = this.#call.service;
    return `${namespace}/${name}`;
  }

  async #wait(waiting: Waiting): Promise<void> {
    const { slots, view } = this.#caller.pod;
    const { limits } = view.trafficOf(this.#call.service)?.settings ?? DEFAULT_TRAFFIC_SETTINGS;
    const end = await slots.wait(this.#service, limits);
    if (end !== "taken") fail(waiting, end);
    else if (waiting.isDropped) slots.release(this.#service);
    else this.#next(waiting, "");
  }

  /** With a slot of the Service. `code`: why the try before came to nothing. */
  #next(waiting: Waiting, code: string): void {
    const { pod } = this.#caller;
    this.#holding ??= new Holding(pod.slots, this.#service, NOTHING_OF_POD);
    for (;;) {
      const route = this.#choose();
      if (route.kind === "none") {
        fail(waiting, code === "" ? route.reason : code);
        return;
      }
      const { balanced } = route;
      // Another worker may have taken its last place since it was chosen.
      if (balanced && !this.#holding.moveTo(balanced.member, balanced.balancer.maxPerEndpoint)) {
        continue;
      }
      this.#chosen = route;
      const ref = this.#refOf(route);
      // What waits for the same endpoint went the way of the one that was lost, maybe.
      const back = ref.key === this.#lostAt ? undefined : pod.http1.take(ref);
      if (back) back.use(waiting.user);
      else void this.#open(waiting, route, ref);
      return;
    }
  }

  /** Not where the request was lost, if there is anywhere else. */
  #choose(): Route {
    const { pod } = this.#caller;
    const input = {
      balancers: pod.balancers,
      node: pod.node,
      zone: pod.zone(),
      nodeAddresses: [],
      address: pod.addresses()[0] ?? "",
      nowMs: performance.now(),
    };
    const tried = this.#tried;
    if (this.#lostAt === undefined)
      return chooseEndpoint(pod.view, this.#call, { ...input, tried });
    const elsewhere = { ...input, tried: [...tried, this.#lostAt] };
    const route = chooseEndpoint(pod.view, this.#call, elsewhere);
    if (route.kind === "upstream") return route;
    return chooseEndpoint(pod.view, this.#call, { ...input, tried });
  }

  async #open(waiting: Waiting, route: Chosen, ref: EndpointRef): Promise<void> {
    const { pod, lane } = this.#caller;
    const { connectTimeoutMs, tcpCheck } = route.settings ?? DEFAULT_TRAFFIC_SETTINGS;
    const { balanced } = route;
    const lease = slotFor(pod);
    if (!lease) {
      fail(waiting, "pod_connections_exhausted");
      return;
    }
    if (balanced && tcpCheck) pod.checks.called(balanced.balancer, createReacher(pod));
    const times = { connectTimeoutMs, isForTunnels: route.settings !== undefined };
    const opened = await openUpstream(pod, route.upstream, times).catch(openFailureCode);
    if (typeof opened === "string") {
      lease.end();
      this.#failed(waiting, route, opened);
      return;
    }
    balanced?.balancer.succeeded(balanced.member);
    const back = pod.http1.add(ref, opened, { lease, lane });
    if (waiting.isDropped) pod.http1.onFree(back);
    else back.use(waiting.user);
  }

  #failed(waiting: Waiting, { balanced, settings, upstream }: Chosen, code: string): void {
    const { retries } = settings ?? DEFAULT_TRAFFIC_SETTINGS;
    if (balanced && isEndpointFault(code)) this.#blame(balanced);
    this.#tried.push(endpointKey(upstream.to));
    const mayTryAnother = this.#tried.length <= retries && !isVerdict(code);
    if (waiting.isDropped) return;
    if (mayTryAnother) this.#next(waiting, code);
    else if (!isEndpointFault(code) || !this.#nextLater(waiting, code)) fail(waiting, code);
  }

  /** False: the route asks for no other try. Else all endpoints are there to be tried once more. */
  #nextLater(waiting: Waiting, code: string): boolean {
    const waitMs = this.#retries.again({ kind: "unreachable" });
    if (waitMs === undefined) return false;
    setTimeout(() => {
      this.#tried.splice(0);
      if (!waiting.isDropped) this.#next(waiting, code);
    }, waitMs);
    return true;
  }

  #blame({ balancer, member }: Balanced): void {
    if (!balancer.failed(member, performance.now())) return;
    this.#caller.pod.onEjected(this.#service, member.key);
  }

  #refOf({ upstream, balanced }: Chosen): EndpointRef {
    return {
      service: this.#service,
      port: this.#call.port,
      key: endpointKey(upstream.to),
      workload: balanced?.member.endpoint.workload ?? "",
      tunnelled: upstream.kind === "tunnel",
    };
  }
}

/** One of the pod's own for a connection, taken from one that idles where there is no other. */
function slotFor({ ownSlots, http1 }: OutboundPod): Lease | undefined {
  return ownSlots.take() ?? (http1.endOldest() ? ownSlots.take() : undefined);
}

function fail({ isDropped, user }: Waiting, code: string): void {
  // Policy at the other end said it of the connection, as it would of the request.
  if (!isDropped) user.onUnreachable(code, code === "denied_by_peer" ? 403 : 503);
}

function unchanged(head: ResponseHead): ResponseHead {
  return head;
}
