/**
 * Who stands behind a node proxy's token? Asked of the API server, which also knows whether the token's
 * pod still exists. Only the node proxy's own service account is anybody here.
 */

import type { KubeApi } from "../../core/kube/kube-api.ts";
import type { NodePeer } from "../distribute/authenticate.ts";

export interface TokenReviewerOptions {
  readonly api: KubeApi;
  readonly audience: string;
  /** Of the node proxy's service account `weft-node-proxy`. */
  readonly namespace: string;
  /** Node of a pod by its UID, for API servers before 1.30, whose tokens do not name it. */
  readonly findNode: (podUid: string) => string | undefined;
}

type Refused = { readonly kind: "refused"; readonly reason: string };

interface ReviewStatus {
  readonly authenticated?: boolean;
  /** Why not, in the API server's words. */
  readonly error?: string;
  readonly audiences?: readonly string[];
  readonly user?: {
    readonly username?: string;
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
}

const SERVICE_ACCOUNT = "weft-node-proxy";
const POD_UID = "authentication.kubernetes.io/pod-uid";
const NODE_NAME = "authentication.kubernetes.io/node-name";

/** Throws `KubeError` where the API server cannot be asked. */
export function createTokenReviewer(
  options: TokenReviewerOptions,
): (token: string) => Promise<NodePeer | Refused> {
  return async (token) => {
    const review = (await options.api.call({
      method: "POST",
      path: "/apis/authentication.k8s.io/v1/tokenreviews",
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token, audiences: [options.audience] },
      },
    })) as { readonly status?: ReviewStatus };
    return readReview(review.status ?? {}, token, options);
  };
}

function readReview(
  status: ReviewStatus,
  token: string,
  options: TokenReviewerOptions,
): NodePeer | Refused {
  const reason = refusalOf(status, options);
  if (reason !== undefined) return refused(reason);
  const extra = status.user?.extra ?? {};
  const podUid = extra[POD_UID]?.[0];
  if (podUid === undefined) return refused("not_bound_to_a_pod");
  const node = extra[NODE_NAME]?.[0] ?? options.findNode(podUid);
  if (node === undefined) return refused("node_unknown");
  const expiresAtMs = expiryOf(token);
  if (expiresAtMs === undefined) return refused("no_expiry");
  return { kind: "node", node, podUid, expiresAtMs };
}

function refusalOf(
  { authenticated, error, audiences, user }: ReviewStatus,
  { audience, namespace }: TokenReviewerOptions,
): string | undefined {
  if (!authenticated)
    return error ? `not_authenticated: ${error.slice(0, 200)}` : "not_authenticated";
  // TokenReviewStatus.audiences: an API server that knows no audiences returns none.
  if (!audiences?.includes(audience)) return "other_audience";
  const account = `system:serviceaccount:${namespace}:${SERVICE_ACCOUNT}`;
  return user?.username === account ? undefined : "other_account";
}

/** RFC 7519 `exp`. The API server has verified the signature by now. */
function expiryOf(token: string): number | undefined {
  try {
    const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8");
    const { exp } = JSON.parse(payload) as { readonly exp?: unknown };
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

function refused(reason: string): Refused {
  return { kind: "refused", reason };
}
