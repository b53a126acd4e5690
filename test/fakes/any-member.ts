/** An endpoint as its balancer remembers it, of which tests need no more than its key and its health. */
import { Latency } from "../../nodeproxy/balance/latency.ts";
import type { Member, MemberHealth } from "../../nodeproxy/balance/member.ts";

export function anyMember(key: string, health: MemberHealth): Member {
  const [address = "", port = "80"] = key.split(":");
  const place = { node: "", zone: "", forZones: [], forNodes: [] };
  return {
    key,
    address,
    port: Number(port),
    health,
    latency: new Latency(),
    sinceMs: Number.NEGATIVE_INFINITY,
    weight: 1,
    lastPick: 0,
    deadline: 0,
    endpoint: { address, workload: `pod-${address}`, ready: true, draining: false, ...place },
  };
}
