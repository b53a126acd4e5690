/**
 * Carries one connection that a pod opens: where to, by tunnel or plaintext, and with another endpoint
 * of the service where the first does not take it. The one place on the outbound side that names failures.
 *
 * To a workload that takes the tunnel never a plaintext byte: what fails is closed.
 */
import { Socket } from "node:net";
import type { Service } from "../../core/model/service.ts";
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import { permitOutbound } from "../authz/decide.ts";
import type { ConnectionFacts, Lease } from "../flow/connection-facts.ts";
import { resetSide, type TcpSide } from "../flow/side.ts";
import { answerGate } from "../gate/answer.ts";
import { isGateDestination } from "../gate/gate-protocol.ts";
import { toNetSocket } from "../tcp/accept.ts";
import {
  type Balanced,
  chooseUpstream,
  type Destination,
  endpointKey,
  type Route,
} from "./choose-upstream.ts";
import { connectionLimitsOf } from "./connection-limits.ts";
import { Holding } from "./holding.ts";
import { isEndpointFault, isVerdict, openFailureCode, openUpstream } from "./open-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import { keepChecked } from "./reach-endpoint.ts";
import { farSideOf } from "./request-facts.ts";
import { httpCallAt, serveHttpCaller } from "./serve-http-caller.ts";

/** For a server's "connection": never throws, never waits. The socket is half-open-capable and paused. */
export function takeOutbound(pod: OutboundPod, socket: TcpSide): void {
  if (socket instanceof Socket) socket.on("error", ignore);
  let to: Destination;
  try {
    to = pod.destinationOf(socket);
  } catch {
    // Conntrack has lost it, or never had it: where it was going, nobody knows.
    const facts = factsOf(pod, socket, { to: { address: "", port: 0 } });
    pod.connections.report(facts, { code: "destination_unreadable" });
    resetSide(socket);
    return;
  }
  if (isGateDestination(to)) {
    const stream = toNetSocket(socket);
    answerGate(stream);
    stream.resume();
    return;
  }
  if (isRefused(pod, to)) {
    pod.connections.report(factsOf(pod, socket, { to }), { code: "own_port" });
    resetSide(socket);
    return;
  }
  const slot = pod.ownSlots.take();
  if (!slot) {
    pod.connections.report(factsOf(pod, socket, { to }), { code: "pod_connections_exhausted" });
    resetSide(socket);
    return;
  }
  const call = httpCallAt(pod.view, to);
  if (!call) {
    void carryOut(pod, socket, { to, slot });
    return;
  }
  const { service, version } = call;
  const ref = `${service.namespace}/${service.name}`;
  const facts = { ...factsOf(pod, socket, { to, lease: slot }), service: ref };
  serveHttpCaller(pod, socket, { facts, to, version });
}

interface Begun {
  readonly to: Destination;
  /** One of the pod's own. */
  readonly slot: Lease;
}

async function carryOut(pod: OutboundPod, socket: TcpSide, { to, slot }: Begun): Promise<void> {
  // Over all attempts together: between two of them stopping must not take the connection for ended.
  pod.connections.dialBegun();
  let isCarried = false;
  try {
    const service = pod.view.serviceAt(to.address);
    if (!service) {
      isCarried = await carryToFirst(pod, socket, { to, tried: [], lease: slot });
      return;
    }
    const ref = `${service.namespace}/${service.name}`;
    const limits = connectionLimitsOf(pod.view, service);
    if (!pod.slots.tryTake(ref, limits)) {
      const end = await pod.slots.wait(ref, limits);
      if (end !== "taken") {
        refuse(pod, socket, { to, route: { kind: "none", reason: end, service } });
        return;
      }
    }
    const holding = new Holding(pod.slots, ref, slot);
    isCarried = await carryToFirst(pod, socket, { to, tried: [], lease: holding, holding });
    if (!isCarried) holding.end();
  } finally {
    if (!isCarried) slot.end();
    pod.connections.dialEnded();
  }
}

/** The mesh's ports of the pod itself: carried there, a connection would come back here for ever. */
function isRefused(pod: OutboundPod, { address, port }: Destination): boolean {
  if (port < 15_000 || port > 15_090) return false;
  return isLoopback(address) || pod.addresses().includes(address);
}

function isLoopback(address: string): boolean {
  return (
    address.startsWith("127.") || address === "::1" || address === "0.0.0.0" || address === "::"
  );
}

interface Trying {
  readonly to: Destination;
  /** Endpoints tried in vain. */
  readonly tried: string[];
  /** Ends with the connection. */
  readonly lease: Lease;
  /** Of a connection to a Service. */
  readonly holding?: Holding;
}

/** False where the connection came to nothing; that is reported then. */
async function carryToFirst(pod: OutboundPod, socket: TcpSide, trying: Trying): Promise<boolean> {
  const { to, tried, lease, holding } = trying;
  let code = "";
  let route = routeOf(pod, to, tried);
  while (route.kind === "upstream") {
    const facts = factsOf(pod, socket, { to, route, lease });
    if (!holdsEndpoint(route, holding)) {
      // Another worker took its last place since it was chosen.
      route = routeOf(pod, to, tried);
      continue;
    }
    code = await attempt(pod, route, { socket, facts });
    if (code === "") return true;
    if (code === "caller_gone") return false;
    tried.push(facts.upstreamAddress);
    if (socket.destroyed || !mayTryAnother(route, code, tried.length)) break;
    route = routeOf(pod, to, tried);
  }
  refuse(pod, socket, { to, route, code });
  return false;
}

function holdsEndpoint({ balanced }: Chosen, holding: Holding | undefined): boolean {
  if (!balanced || !holding) return true;
  return holding.moveTo(balanced.member, balanced.balancer.maxPerEndpoint);
}

function mayTryAnother({ service, settings }: Chosen, code: string, tried: number): boolean {
  const { retries } = settings ?? DEFAULT_TRAFFIC_SETTINGS;
  return service !== undefined && tried <= retries && !isVerdict(code);
}

type Chosen = Extract<Route, { readonly kind: "upstream" }>;

interface Attempting {
  readonly socket: TcpSide;
  readonly facts: ConnectionFacts;
}

/** One endpoint, told how it went. Returns the code of the failure, "" for none: then it is carried. */
async function attempt(
  pod: OutboundPod,
  { upstream, settings, balanced }: Chosen,
  { socket, facts }: Attempting,
): Promise<string> {
  const { connectTimeoutMs } = settings ?? DEFAULT_TRAFFIC_SETTINGS;
  if (balanced) keepChecked(pod, balanced);
  try {
    const isForTunnels = settings !== undefined;
    const back = await openUpstream(pod, upstream, { connectTimeoutMs, isForTunnels });
    balanced?.balancer.succeeded(balanced.member);
    if (socket.destroyed) {
      resetSide(back);
      pod.connections.report(facts, { code: "caller_gone" });
      return "caller_gone";
    }
    pod.connections.carry(permitOutbound(), { front: socket, back }, facts);
    return "";
  } catch (error) {
    const code = openFailureCode(error);
    if (balanced && isEndpointFault(code)) blame(pod, balanced, facts);
    return code;
  }
}

function blame(pod: OutboundPod, { balancer, member }: Balanced, facts: ConnectionFacts): void {
  if (balancer.failed(member, performance.now()))
    pod.onEjected(facts.service, member.key, "unreachable");
}

function refuse(
  pod: OutboundPod,
  socket: TcpSide,
  { to, route, code = "" }: Way & { readonly route: Route | Refused; readonly code?: string },
): void {
  const reason = code === "" && route.kind === "none" ? route.reason : code;
  pod.connections.report(factsOf(pod, socket, { to, route }), { code: reason });
  resetSide(socket);
}

function routeOf(pod: OutboundPod, to: Destination, tried: readonly string[]): Route {
  return chooseUpstream(pod.view, to, {
    balancers: pod.balancers,
    node: pod.node,
    zone: pod.zone(),
    nodeAddresses: pod.nodeAddresses(),
    address: pod.addresses()[0] ?? "",
    tried,
    nowMs: performance.now(),
  });
}

/** A connection to a Service that got no slot. */
interface Refused {
  readonly kind: "none";
  readonly reason: string;
  readonly service: Service;
}

interface Way {
  readonly to: Destination;
  readonly route?: Route | Refused;
  readonly lease?: Lease;
}

function factsOf(pod: OutboundPod, socket: TcpSide, { to, route, lease }: Way): ConnectionFacts {
  const service = route?.service;
  const chosen = route?.kind === "upstream" ? route : undefined;
  return {
    direction: "outbound",
    sinceMs: Date.now(),
    pod: pod.uid,
    source: pod.party(),
    sourceAddress: endpointKey({
      address: socket.remoteAddress ?? "",
      port: socket.remotePort ?? 0,
    }),
    ...farSideOf(pod, chosen?.upstream),
    destinationAddress: endpointKey(to),
    service: service ? `${service.namespace}/${service.name}` : "",
    idleTimeoutMs: chosen?.settings?.idleTimeoutMs ?? 0,
    ...(lease ? { lease } : {}),
  };
}

function ignore(): void {}
