/** One active check: does the endpoint take a connection of this pod? Opens one and ends it, without a byte. */
import type { Member } from "../balance/member.ts";
import { resetSide, watchGone } from "../flow/side.ts";
import type { Reacher } from "../health/tcp-checks.ts";
import { upstreamOf } from "./choose-upstream.ts";
import { isEndpointFault, openFailureCode, openUpstream } from "./open-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";

/** An application that does not answer the end of its caller is reset. */
const END_MS = 1_000;

export function createReacher(pod: OutboundPod): Reacher {
  return {
    isGone: () => pod.isClosed(),
    reaches: (member, timeoutMs) => reachEndpoint(pod, member, timeoutMs),
  };
}

async function reachEndpoint(
  pod: OutboundPod,
  member: Member,
  timeoutMs: number,
): Promise<boolean> {
  try {
    const times = { connectTimeoutMs: timeoutMs, isForTunnels: true };
    const side = await openUpstream(pod, upstreamOf(pod.view, member), times);
    const timer = setTimeout(resetSide, END_MS, side);
    watchGone(side, () => clearTimeout(timer));
    side.resume();
    side.end();
    return true;
  } catch (error) {
    return !isEndpointFault(openFailureCode(error));
  }
}
