/**
 * Which node is calling? Asked for every call, answered from its bearer token alone.
 *
 * In Kubernetes the token is a projected service-account token that `review` has the API server
 * check; in file mode it is the join token, and the node names itself. Never logs a token.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";

export interface NodePeer {
  readonly kind: "node";
  readonly node: string;
  /** UID of the node proxy's own pod; absent in file mode. */
  readonly podUid?: string;
  /** In file mode in place of it: which of the node's proxies says to be calling; absent from an older one. */
  readonly instance?: string;
  /** When its token ends, and with it its stream. `Infinity` in file mode. */
  readonly expiresAtMs: number;
}

export type AuthenticationRefusal =
  | "no_token"
  | "bad_token"
  | "expired_token"
  | "bad_node_name"
  /** The review itself failed: try again. */
  | "review_unavailable";

export interface RefusedCaller {
  readonly kind: "refused";
  readonly reason: AuthenticationRefusal;
  /** What the review said, for the operator's log; the caller is not told. */
  readonly detail?: string;
}

export type Authenticated = NodePeer | RefusedCaller;

export type Authenticate = (headers: IncomingHttpHeaders) => Promise<Authenticated>;

/** Throws where it cannot know, for instance with the API server away. */
export type ReviewToken = (
  token: string,
) => Promise<NodePeer | { readonly kind: "refused"; readonly reason: string }>;

/** RFC 1123 subdomain, the form of a Kubernetes node's name. */
const NODE_NAME =
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const MAX_INSTANCE_LENGTH = 64;
const MAX_TOKEN_LENGTH = 16_384;
/** So long may a token outlive its revocation: short enough, and it spares a review for each certificate of a burst. */
const CACHE_MS = 10_000;
/**
 * With the API server away a token that it has accepted counts for so long: certificates must go on being
 * renewed. Whoever it stands for can hardly be taken away meanwhile, since that needs the API server too.
 */
const GRACE_MS = 10 * 60_000;
const MAX_CACHED = 10_000;
/** Reviews under way at once; garbage tokens must not flood the API server. */
const MAX_REVIEWS = 64;

interface CachedReview {
  readonly answer: Promise<Authenticated>;
  readonly untilMs: number;
}

export interface TokenReviewOptions {
  readonly review: ReviewToken;
  readonly now: () => number;
}

export function createTokenAuthentication({ review, now }: TokenReviewOptions): Authenticate {
  const cache = new Map<string, CachedReview>();
  const accepted = new Map<string, { readonly peer: NodePeer; readonly atMs: number }>();
  let underWay = 0;

  /** Not known is not refused: the next call asks again. */
  function answerUnasked(key: string): Authenticated {
    cache.delete(key);
    const known = accepted.get(key);
    return known && now() - known.atMs < GRACE_MS ? known.peer : refused("review_unavailable");
  }

  async function reviewOnce(key: string, token: string): Promise<Authenticated> {
    underWay += 1;
    try {
      const answer = await review(token);
      accepted.delete(key);
      if (answer.kind !== "node") return { ...refused("bad_token"), detail: answer.reason };
      accepted.set(key, { peer: answer, atMs: now() });
      dropOldest(accepted);
      return answer;
    } catch {
      return answerUnasked(key);
    } finally {
      underWay -= 1;
    }
  }

  return async (headers) => {
    const token = bearerToken(headers);
    if (token === undefined) return refused("no_token");
    const key = createHash("sha256").update(token).digest("base64");
    let cached = cache.get(key);
    if (cached === undefined || cached.untilMs <= now()) {
      cache.delete(key);
      if (underWay >= MAX_REVIEWS) return refused("review_unavailable");
      cached = { answer: reviewOnce(key, token), untilMs: now() + CACHE_MS };
      cache.set(key, cached);
      dropOldest(cache);
    }
    const answer = await cached.answer;
    const isExpired = answer.kind === "node" && answer.expiresAtMs <= now();
    return isExpired ? refused("expired_token") : answer;
  };
}

/** `joinToken` is read anew for every call, so that the file may change. */
export function createJoinTokenAuthentication(joinToken: () => string): Authenticate {
  return async (headers) => {
    const token = bearerToken(headers);
    if (token === undefined) return refused("no_token");
    const expected = joinToken();
    if (expected === "" || !isEqual(token, expected)) return refused("bad_token");
    const node = headers["weft-node"];
    if (typeof node !== "string" || node.length > 253 || !NODE_NAME.test(node)) {
      return refused("bad_node_name");
    }
    const instance = headers["weft-instance"];
    return {
      kind: "node",
      node,
      expiresAtMs: Number.POSITIVE_INFINITY,
      ...(typeof instance === "string" ? { instance: instance.slice(0, MAX_INSTANCE_LENGTH) } : {}),
    };
  };
}

/** What a caller that is nobody is told. */
export function refusalOfCaller({ reason }: RefusedCaller): ConnectError {
  const code = reason === "review_unavailable" ? Code.Unavailable : Code.Unauthenticated;
  return new ConnectError("who calls is not known", code, { "weft-reason": reason });
}

function refused(reason: AuthenticationRefusal): RefusedCaller {
  return { kind: "refused", reason };
}

function bearerToken({ authorization }: IncomingHttpHeaders): string | undefined {
  if (authorization === undefined || authorization.length > MAX_TOKEN_LENGTH) return undefined;
  return /^Bearer ([\x21-\x7e]+)$/.exec(authorization)?.[1];
}

/** In constant time, whatever the lengths: both are hashed first. */
function isEqual(a: string, b: string): boolean {
  return timingSafeEqual(
    createHash("sha256").update(a).digest(),
    createHash("sha256").update(b).digest(),
  );
}

function dropOldest(cache: Map<string, unknown>): void {
  if (cache.size <= MAX_CACHED) return;
  for (const key of cache.keys()) {
    cache.delete(key);
    return;
  }
}
