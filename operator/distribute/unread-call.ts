/**
 * Calls for a certificate that the gRPC transport refuses before the certifier sees them: too large, cut, or no
 * protobuf. They are counted and audited like any other refusal, and the node is told a reason of ours.
 */
import type { Http2ServerRequest, Http2ServerResponse, OutgoingHttpHeaders } from "node:http2";
import { Code } from "@connectrpc/connect";
import { NodeService } from "../../core/wire/gen/weft/v1/node_pb.ts";

export interface UnreadCall {
  /** Stable. */
  readonly reason: "message_too_large" | "message_malformed";
  /** The transport's own words. */
  readonly message: string;
}

export interface UnreadCallOptions {
  /** Has the certifier seen it? Then it says itself what became of it. */
  readonly isRead: () => boolean;
  /** Called before the answer goes out. */
  readonly onUnread: (call: UnreadCall) => void;
}

const CERTIFY_PATH = `/${NodeService.typeName}/${NodeService.method.certify.name}`;

export function watchUnread(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  { isRead, onUnread }: UnreadCallOptions,
): void {
  if (request.url !== CERTIFY_PATH) return;
  const addTrailers = response.addTrailers.bind(response);
  response.addTrailers = (trailers) => {
    const call = isRead() ? undefined : unreadCall(trailers);
    if (call) onUnread(call);
    addTrailers(call ? { ...trailers, "weft-reason": call.reason } : trailers);
  };
}

function unreadCall(trailers: OutgoingHttpHeaders): UnreadCall | undefined {
  const code = Number(trailers["grpc-status"]);
  // Whoever asked has gone.
  if (code === 0 || code === Code.Canceled || code === Code.DeadlineExceeded) return undefined;
  const reason = code === Code.ResourceExhausted ? "message_too_large" : "message_malformed";
  return { reason, message: decodeURIComponent(String(trailers["grpc-message"] ?? "")) };
}
