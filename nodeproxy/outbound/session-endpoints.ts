/** Which endpoint of a Service does a client's session name? By digest, remembered for as long as the list of endpoints is. */
import type { Balancer } from "../balance/balancer.ts";
import type { Member } from "../balance/member.ts";
import { digestOf, isGenuine, type SessionEndpoint, type SessionToken } from "./session-token.ts";

const digests = new WeakMap<readonly Member[], ReadonlyMap<string, Member>>();

/** `undefined` where it is none of its endpoints of today, or nobody of ours wrote it. `port`: of the Service. */
export function memberOfSession(
  balancer: Balancer,
  port: number,
  token: SessionToken,
): Member | undefined {
  const { members } = balancer;
  const known = digests.get(members) ?? digested(balancer, port);
  digests.set(members, known);
  const member = known.get(token.digest);
  const isOurs = member && isGenuine(token, sessionEndpoint(balancer, port, member));
  return isOurs ? member : undefined;
}

export function sessionEndpoint(
  { service }: Balancer,
  port: number,
  { key, endpoint }: Member,
): SessionEndpoint {
  return { service, port, key, workload: endpoint.workload };
}

function digested(balancer: Balancer, port: number): ReadonlyMap<string, Member> {
  return new Map(
    balancer.members.map((member) => [digestOf(sessionEndpoint(balancer, port, member)), member]),
  );
}
