/**
 * One active check: does the endpoint take a connection of this pod, and answer the request that its policy asks for?
 * Without such a request it is opened and ended, without a byte.
 */
import type { HttpCheck } from "../../core/model/http-settings.ts";
import type { Balancer } from "../balance/balancer.ts";
import type { Member } from "../balance/member.ts";
import { resetSide, type Side, watchGone } from "../flow/side.ts";
import { checkOf, type EndpointCheck, type Reacher } from "../health/endpoint-checks.ts";
import type { CheckAsk } from "./check-by-request.ts";
import { type Balanced, upstreamOf } from "./choose-upstream.ts";
import { isEndpointFault, openFailureCode, openUpstream } from "./open-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";

/** An application that does not answer the end of its caller is reset. */
const END_MS = 1_000;

/** To be called for each use of it: its Service is checked for as long as somebody calls. */
export function keepChecked(pod: OutboundPod, { balancer }: Balanced): void {
  if (checkOf(balancer.settings)) pod.checks.called(balancer, createReacher(pod));
}

function createReacher(pod: OutboundPod): Reacher {
  return {
    isGone: () => pod.isClosed(),
    reaches: (balancer, member, check) => reachEndpoint(pod, member, askOf(balancer, check)),
  };
}

interface Asked {
  readonly timeoutMs: number;
  /** `undefined`: a connection is enough. */
  readonly ask: CheckAsk | undefined;
}

function askOf(balancer: Balancer, check: EndpointCheck): Asked {
  const { timeoutMs } = check;
  if (check.kind === undefined) return { timeoutMs, ask: undefined };
  const ownHost = balancer.service.split("/").toReversed().join(".");
  const authority = check.kind === "http" && check.host !== "" ? check.host : ownHost;
  return { timeoutMs, ask: { check, authority, version: versionOf(balancer, check) } };
}

function versionOf({ port }: Balancer, check: HttpCheck | { readonly kind: "grpc" }) {
  return check.kind === "grpc" ? "http2" : (port?.http ?? "http1");
}

async function reachEndpoint(
  pod: OutboundPod,
  member: Member,
  { timeoutMs, ask }: Asked,
): Promise<boolean> {
  const beganMs = performance.now();
  let side: Side;
  try {
    const times = { connectTimeoutMs: timeoutMs, isForTunnels: true };
    side = await openUpstream(pod, upstreamOf(pod.view, member), times);
  } catch (error) {
    return !isEndpointFault(openFailureCode(error));
  }
  if (!ask) {
    endUnused(side);
    return true;
  }
  const { answersWell } = await import("./check-by-request.ts");
  return answersWell(side, ask, Math.max(1, timeoutMs - (performance.now() - beganMs)));
}

function endUnused(side: Side): void {
  const timer = setTimeout(resetSide, END_MS, side);
  watchGone(side, () => clearTimeout(timer));
  side.resume();
  side.end();
}
