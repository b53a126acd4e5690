/**
 * Service-account tokens as a Kubernetes API server (1.30 and later) makes and reviews them: signed, for audiences, for
 * a time, bound to a pod and its node. Reviews say what the real one says.
 */
import { generateKeyPairSync, sign, verify } from "node:crypto";

export interface TokenWish {
  /** `namespace/name`. */
  readonly account: string;
  readonly audience: string;
  /** Absent for a token that is bound to nothing. */
  readonly pod?: { readonly name: string; readonly uid: string; readonly node: string };
  readonly notBeforeMs?: number;
  readonly expiresMs?: number;
}

interface Claims {
  readonly aud: readonly string[];
  readonly exp: number;
  readonly nbf: number;
  readonly sub: string;
  readonly "kubernetes.io": { readonly pod?: { readonly uid: string }; readonly node?: string };
}

type Json = Readonly<Record<string, unknown>>;

const INVALIDATED = "service account token has been invalidated";

export class ServiceAccountTokens {
  readonly #keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  /** UIDs of the pods that there are. */
  readonly #livingPods: ReadonlySet<string>;

  constructor(livingPods: readonly string[]) {
    this.#livingPods = new Set(livingPods);
  }

  create({ account, audience, pod, notBeforeMs, expiresMs }: TokenWish): string {
    const claims: Claims = {
      aud: [audience],
      exp: Math.floor((expiresMs ?? Date.now() + 3_600_000) / 1000),
      nbf: Math.floor((notBeforeMs ?? Date.now() - 1000) / 1000),
      sub: `system:serviceaccount:${account.replace("/", ":")}`,
      "kubernetes.io": pod ? { pod, node: pod.node } : {},
    };
    const signed = `${encode({ alg: "ES256" })}.${encode(claims)}`;
    const signature = sign("sha256", Buffer.from(signed), this.#keys.privateKey);
    return `${signed}.${signature.toString("base64url")}`;
  }

  /** The status of a TokenReview. */
  review(token: string, audiences: readonly string[]): Json {
    const claims = this.#read(token);
    if (typeof claims === "string") return refused(`[invalid bearer token, ${claims}]`);
    const both = claims.aud.filter((audience) => audiences.includes(audience));
    if (both.length === 0) {
      const asked = JSON.stringify(audiences);
      return refused(`token audiences ${JSON.stringify(claims.aud)} is invalid for ${asked}`);
    }
    const { pod, node } = claims["kubernetes.io"];
    const extra = pod && {
      "authentication.kubernetes.io/pod-uid": [pod.uid],
      "authentication.kubernetes.io/node-name": [node],
    };
    return { authenticated: true, audiences: both, user: { username: claims.sub, extra } };
  }

  #read(token: string): Claims | string {
    const [header = "", body = "", signature = ""] = token.split(".");
    const signed = Buffer.from(`${header}.${body}`);
    if (!verify("sha256", signed, this.#keys.publicKey, Buffer.from(signature, "base64url"))) {
      return "square/go-jose: error in cryptographic primitive";
    }
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Claims;
    const { pod } = claims["kubernetes.io"];
    if (claims.exp * 1000 <= Date.now()) return "service account token has expired";
    if (claims.nbf * 1000 > Date.now()) return "service account token is not valid yet";
    return pod && !this.#livingPods.has(pod.uid) ? INVALIDATED : claims;
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function refused(error: string): Json {
  return { authenticated: false, error, user: {} };
}
