/** Random attempts out of the same small world: opaque ones, requests, and what proxies and TLS show besides. */
import type { SeededRandom } from "../fakes/seeded-random.ts";
import type { AskedAttempt, AskedRequest } from "./asked.ts";
import { pick } from "./random-policies.ts";
import * as world from "./small-world.ts";

export function randomAttempt(random: SeededRandom): AskedAttempt {
  const isHttp = random.chance(0.5);
  const hasRemote = random.chance(isHttp ? 0.85 : 0.1);
  return {
    ...(random.chance(0.8) ? { peer: randomPeer(random) } : {}),
    sourceIp: pick(random, world.ADDRESSES),
    destinationIp: pick(random, world.ADDRESSES),
    port: pick(random, world.PORTS),
    ...(random.chance(0.2) ? { sni: pick(random, ["", ...world.SERVER_NAMES]) } : {}),
    ...(hasRemote ? { remoteIp: pick(random, world.ADDRESSES) } : {}),
    ...(isHttp ? { http: randomRequest(random) } : {}),
    answers: randomAnswers(random),
  };
}

function randomPeer(random: SeededRandom): NonNullable<AskedAttempt["peer"]> {
  return {
    domain: random.chance(0.6) ? "cluster.local" : pick(random, world.DOMAINS),
    namespace: pick(random, world.NAMESPACES),
    account: pick(random, world.ACCOUNTS),
  };
}

function randomRequest(random: SeededRandom): AskedRequest {
  return {
    method: pick(random, world.METHODS),
    path: pick(random, world.PATHS),
    host: pick(random, world.HOSTS),
    headers: Array.from(
      { length: random.chance(0.5) ? 0 : random.whole(1, 3) },
      () => ["x-role", pick(random, world.HEADER_LINES)] as const,
    ),
    ...(random.chance(0.6) ? { claims: randomClaims(random) } : {}),
  };
}

function randomClaims(random: SeededRandom): Readonly<Record<string, unknown>> {
  const claims: Record<string, unknown> = {};
  if (random.chance(0.9)) claims["iss"] = pick(random, world.ISSUERS);
  if (random.chance(0.9)) claims["sub"] = pick(random, world.SUBJECTS);
  for (const name of ["aud", "azp", "groups", "scope", "permission", "a"]) {
    if (random.chance(0.5)) claims[name] = pick(random, world.CLAIM_VALUES);
  }
  // As a JSON reader makes it: an own member of that name.
  return random.chance(0.1) ? { ...claims, ...JSON.parse('{"__proto__":"read"}') } : claims;
}

function randomAnswers(random: SeededRandom): AskedAttempt["answers"] {
  const answers: Record<string, "permit" | "deny"> = {};
  for (const provider of ["opa", "idp"]) {
    if (random.chance(0.4)) answers[provider] = random.chance(0.7) ? "permit" : "deny";
  }
  return answers;
}
