/**
 * One HTTP/2 session to the operator: connected in time or not at all, kept alive by PINGs, closed when
 * unused. In place of connect-node's own manager, whose PING timeout after a stream's failure leaves
 * the session's `error` without a listener and so ends the process.
 */
import { type ClientHttp2Session, connect, type SecureClientSessionOptions } from "node:http2";
import type { NodeHttpClientOptions } from "@connectrpc/connect-node";
import { type KeepAlive, keepAlive } from "../../core/process/keep-alive.ts";

type SessionManager = ReturnType<
  NonNullable<Extract<NodeHttpClientOptions, { httpVersion: "2" }>["sessionProvider"]>
>;

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;

export interface OperatorSessionOptions {
  /** `https://host:port`. */
  readonly origin: string;
  readonly tls: SecureClientSessionOptions;
  readonly keepAlive: KeepAlive;
  readonly signal: AbortSignal;
}

export interface OperatorSession {
  /** For a transport of connect-node. */
  readonly manager: SessionManager;
  isOpen(): boolean;
  close(): void;
}

/** Rejects with what ended the attempt: Node's own error, or that of the signal. */
export async function openOperatorSession(
  options: OperatorSessionOptions,
): Promise<OperatorSession> {
  const session = connect(options.origin, options.tls);
  // For the whole of its life: an `error` without a listener would end the process.
  session.on("error", () => undefined);
  await connected(session, options.signal);
  keepAlive(session, options.keepAlive, () => {
    session.destroy(new Error("the operator did not answer a PING in time"));
  });
  // One listener for all idle times: a callback given to `setTimeout` would be one more listener each.
  session.on("timeout", () => session.destroy());
  let streams = 0;
  return {
    manager: {
      authority: options.origin,
      request: async (method, path, headers) => {
        const pseudo = { ":method": method, ":path": path };
        const stream = session.request({ ...headers, ...pseudo });
        streams += 1;
        session.setTimeout(0);
        stream.once("close", () => {
          streams -= 1;
          if (streams === 0) session.setTimeout(IDLE_TIMEOUT_MS);
        });
        return stream;
      },
      notifyResponseByteRead: () => undefined,
    },
    isOpen: () => !session.closed && !session.destroyed,
    close: () => session.destroy(),
  };
}

function connected(session: ClientHttp2Session, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]);
    function onAbort(): void {
      session.destroy();
      reject(limit.reason as Error);
    }
    session.once("error", reject);
    // Refused before there was a session: an operator that stops sends GOAWAY or just closes.
    session.once("close", () => reject(new Error("closed before it was open")));
    session.once("connect", () => {
      limit.removeEventListener("abort", onAbort);
      resolve();
    });
    limit.addEventListener("abort", onAbort);
    if (limit.aborted) onAbort();
  });
}
