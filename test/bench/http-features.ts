/**
 * What the HTTP bench asks of Weft for one Service each: a route, a retry policy, a check of tokens, a rate limit; and
 * what an answer shows where the feature is in the way.
 */
import { exportJWK, generateKeyPair, SignJWT } from "jose";

export interface HttpFeature {
  readonly name: "plain" | "route" | "retry" | "jwt" | "rateLimit";
  /** Of its Service, its server and that server's label `app`. */
  readonly service: string;
  /** In the namespace `bench`. */
  readonly objects: readonly object[];
  /** Shows that it is there. */
  readonly probe: FeatureProbe;
}

/** Asked by `fortio curl`; `shown` is to be in what that prints, answer's head and all. */
export interface FeatureProbe {
  readonly path: string;
  readonly isWithToken: boolean;
  readonly shown: RegExp;
  /** In the metrics of the caller's node, where the answer does not tell. */
  readonly counted?: RegExp;
}

export interface HttpFeatures {
  readonly features: readonly HttpFeature[];
  /** All requests carry it, to whichever feature: what is added is the check and not the octets. */
  readonly token: string;
}

export const ROUTED_BY = "x-tester: yes";
const NAMESPACE = "bench";
const ISSUER = "https://issuer.example";
const AUDIENCE = "bench";
const OK: FeatureProbe = { path: "/", isWithToken: true, shown: /^HTTP\/1.1 200/m };

export async function httpFeatures(): Promise<HttpFeatures> {
  const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
  const token = await new SignJWT({ scope: "read" })
    .setProtectedHeader({ alg: "RS256", kid: "bench" })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject("user")
    .setExpirationTime("1d")
    .sign(privateKey);
  const jwk = { ...(await exportJWK(publicKey)), kid: "bench", alg: "RS256", use: "sig" };
  const features = [plain(), route(), retry(), jwt(JSON.stringify({ keys: [jwk] })), rateLimit()];
  return { features, token };
}

function plain(): HttpFeature {
  return { name: "plain", service: "plain", objects: [allow("plain", {})], probe: OK };
}

/** Matched by path and header; one filter for each direction. */
function route(): HttpFeature {
  const service = "route";
  const modify = { set: [{ name: "x-routed", value: "bench" }] };
  const rule = {
    matches: [
      {
        path: { type: "PathPrefix", value: "/" },
        headers: [{ name: "x-tester", value: "yes" }],
      },
    ],
    filters: [
      { type: "RequestHeaderModifier", requestHeaderModifier: modify },
      { type: "ResponseHeaderModifier", responseHeaderModifier: modify },
    ],
    backendRefs: [{ name: service, port: 8080 }],
  };
  const httpRoute = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: service, namespace: NAMESPACE },
    spec: { parentRefs: [{ group: "", kind: "Service", name: service }], rules: [rule] },
  };
  const probe = { ...OK, shown: /^x-routed: bench/im };
  return { name: "route", service, objects: [allow(service, {}), httpRoute], probe };
}

/** Of failures that none of the measured requests meets; the probe does. */
function retry(): HttpFeature {
  const service = "retry";
  const http = {
    retry: { attempts: 2, codes: [503], retryOn: ["connect-failure", "reset"], backoff: "1ms" },
    retryBudget: { percent: 20, interval: "10s", minRetries: 10 },
  };
  const objects = [allow(service, {}), trafficPolicy(service, { http })];
  const probe = {
    path: "/busy",
    isWithToken: true,
    shown: /^HTTP\/1.1 503/m,
    counted:
      /^weft_http_resilience_events_total\{(?=.*service="bench\/retry").*event="retry".*\} [1-9]/m,
  };
  return { name: "retry", service, objects, probe };
}

function jwt(jwks: string): HttpFeature {
  const service = "jwt";
  const authentication = {
    apiVersion: "weft.dev/v1",
    kind: "RequestAuthentication",
    metadata: { name: service, namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: { app: service } },
      jwtRules: [{ issuer: ISSUER, audiences: [AUDIENCE], jwks }],
    },
  };
  const principals = { requestPrincipals: [`${ISSUER}/user`] };
  const probe = { ...OK, isWithToken: false, shown: /^HTTP\/1.1 403/m };
  return { name: "jwt", service, objects: [allow(service, principals), authentication], probe };
}

/** It never refuses: no load comes near a million requests a second. */
function rateLimit(): HttpFeature {
  const service = "rate-limit";
  const tokenBucket = { requests: 1_000_000, window: "1s", burst: 1_000_000 };
  const rateLimits = [{ name: "everything", tokenBucket }];
  const objects = [allow(service, {}), trafficPolicy(service, { rateLimits })];
  return { name: "rateLimit", service, objects, probe: { ...OK, shown: /^ratelimit: /im } };
}

/** Also makes the server's port HTTP at its own node. */
function allow(service: string, source: object): object {
  const principals = ["cluster.local/ns/bench/sa/client"];
  return {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: service, namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: { app: service } },
      action: "ALLOW",
      rules: [
        {
          from: [{ source: { principals, ...source } }],
          to: [{ operation: { methods: ["GET"] } }],
        },
      ],
    },
  };
}

function trafficPolicy(service: string, spec: object): object {
  return {
    apiVersion: "weft.dev/v1",
    kind: "TrafficPolicy",
    metadata: { name: service, namespace: NAMESPACE },
    spec: { targetRefs: [{ kind: "Service", name: service }], ...spec },
  };
}
