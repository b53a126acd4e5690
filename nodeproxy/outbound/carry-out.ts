/**
 * Carries one connection that a pod opens: where to, by tunnel or plaintext, and with another endpoint
 * of the service where the first does not take it. The one place on the outbound side that names failures.
 *
 * To a workload that takes the tunnel never a plaintext byte: what fails is closed.
 */
import { Socket } from "node:net";
import { permitOutbound } from "../authz/decide.ts";
import { type ConnectionFacts, NO_PARTY } from "../flow/connection-facts.ts";
import { resetSide, type Side } from "../flow/side.ts";
import { answerGate } from "../gate/answer.ts";
import { isGateDestination } from "../gate/gate-protocol.ts";
import { TunnelError } from "../tunnel/tunnel-error.ts";
import {
  chooseUpstream,
  type Destination,
  endpointKey,
  type Route,
  type Upstream,
} from "./choose-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";

const CONNECT_TIMEOUT_MS = 10_000;
/** Endpoints tried for one connection. */
const MAX_ENDPOINTS = 3;

/** For a server's "connection": never throws, never waits. The socket is half-open-capable and paused. */
export function takeOutbound(pod: OutboundPod, socket: Socket): void {
  socket.on("error", ignore);
  let to: Destination;
  try {
    to = pod.destinationOf(socket);
  } catch {
    resetSide(socket);
    return;
  }
  if (isGateDestination(to)) {
    answerGate(socket);
    socket.resume();
    return;
  }
  if (isRefused(pod, to)) {
    pod.connections.report(factsOf(pod, socket, { to }), { code: "own_port" });
    resetSide(socket);
    return;
  }
  void carryOut(pod, socket, to);
}

async function carryOut(pod: OutboundPod, socket: Socket, to: Destination): Promise<void> {
  // Over all attempts together: between two of them stopping must not take the connection for ended.
  pod.connections.dialBegun("");
  try {
    await carryToFirst(pod, socket, to);
  } finally {
    pod.connections.dialEnded("");
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

async function carryToFirst(pod: OutboundPod, socket: Socket, to: Destination): Promise<void> {
  const tried: string[] = [];
  let code = "";
  let route = routeOf(pod, to, tried);
  while (route.kind === "upstream") {
    const { upstream, service } = route;
    const facts = factsOf(pod, socket, { to, route });
    const { upstreamAddress } = facts;
    pod.connections.dialBegun(upstreamAddress);
    try {
      const back = await open(pod, upstream);
      if (socket.destroyed) {
        resetSide(back);
        pod.connections.report(facts, { code: "caller_gone" });
        return;
      }
      pod.connections.carry(permitOutbound(), { front: socket, back }, facts);
      return;
    } catch (error) {
      code = codeOf(error);
      tried.push(upstreamAddress);
      const mayTryAnother = service && tried.length < MAX_ENDPOINTS && !isVerdict(code);
      if (!mayTryAnother || socket.destroyed) break;
      route = routeOf(pod, to, tried);
    } finally {
      pod.connections.dialEnded(upstreamAddress);
    }
  }
  const reason = code === "" && route.kind === "none" ? route.reason : code;
  pod.connections.report(factsOf(pod, socket, { to, route }), { code: reason });
  resetSide(socket);
}

/** The peer decided; another endpoint of the service must not be asked until one says yes. */
function isVerdict(code: string): boolean {
  return code === "denied_by_peer" || code === "malformed_by_peer" || code === "no_leaf";
}

function routeOf(pod: OutboundPod, to: Destination, tried: readonly string[]): Route {
  const service = pod.view.serviceAt(to.address);
  return chooseUpstream(pod.view, to, {
    node: pod.node,
    tried,
    turn: service ? pod.nextTurn(`${service.namespace}/${service.name}`) : 0,
    random: Math.random(),
    openTo: (endpoint) => pod.connections.openTo(endpoint),
  });
}

function open(pod: OutboundPod, upstream: Upstream): Promise<Side> {
  switch (upstream.kind) {
    case "tunnel":
      return pod.openStream(upstream.workload, upstream.to);
    case "plaintext":
      return dial(pod, upstream.to);
  }
}

function dial(pod: OutboundPod, { address, port }: Destination): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fd = pod.openSocket(address.includes(":") ? 6 : 4);
    const back = new Socket({ fd, allowHalfOpen: true });
    const timeout = setTimeout(() => {
      reject(new Error("timed out", { cause: "connect_timeout" }));
      back.destroy();
    }, CONNECT_TIMEOUT_MS);
    back.on("error", (error) => {
      clearTimeout(timeout);
      reject(error);
    });
    back.setNoDelay(true);
    back.connect({ host: address, port }, () => {
      clearTimeout(timeout);
      resolve(back);
    });
  });
}

interface Way {
  readonly to: Destination;
  readonly route?: Route;
}

function factsOf(pod: OutboundPod, socket: Socket, { to, route }: Way): ConnectionFacts {
  const upstream = route?.kind === "upstream" ? route.upstream : undefined;
  const service = route?.service;
  const isTunnel = upstream?.kind === "tunnel";
  const destination = upstream ? pod.partyOf(upstream.workload) : NO_PARTY;
  return {
    direction: "outbound",
    sinceMs: Date.now(),
    pod: pod.uid,
    source: pod.party(),
    sourceAddress: endpointKey({
      address: socket.remoteAddress ?? "",
      port: socket.remotePort ?? 0,
    }),
    destination: isTunnel ? destination : { ...destination, identity: "" },
    destinationAddress: endpointKey(to),
    upstreamAddress: upstream ? endpointKey(upstream.to) : "",
    service: service ? `${service.namespace}/${service.name}` : "",
    tunnelled: isTunnel,
  };
}

function codeOf(error: unknown): string {
  if (error instanceof TunnelError) return error.reason;
  switch ((error as NodeJS.ErrnoException).code ?? "") {
    case "ECONNREFUSED":
      return "connect_refused";
    case "ETIMEDOUT":
      return "connect_timeout";
    case "EMFILE":
    case "ENFILE":
      return "too_many_descriptors";
    default:
      return (error as Error).cause === "connect_timeout" ? "connect_timeout" : "connect_failed";
  }
}

function ignore(): void {}
