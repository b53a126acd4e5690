/** Opens the far side of an outbound connection, by tunnel or plainly, within a time; and names why it could not. */
import { resetSide, type Side, type TcpSide } from "../flow/side.ts";
import { dial } from "../tcp/dial.ts";
import { dialCode } from "../tcp/dial-code.ts";
import { TunnelError } from "../tunnel/tunnel-error.ts";
import type { Destination, Upstream } from "./choose-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";

export interface OpenTimes {
  readonly connectTimeoutMs: number;
  /** Holds for tunnels too; else these have times of their own. */
  readonly isForTunnels: boolean;
}

export function openUpstream(
  pod: OutboundPod,
  upstream: Upstream,
  { connectTimeoutMs, isForTunnels }: OpenTimes,
): Promise<Side> {
  switch (upstream.kind) {
    case "tunnel": {
      const opened = pod.openStream(upstream.workload, upstream.to);
      return isForTunnels ? within(opened, connectTimeoutMs) : opened;
    }
    case "plaintext":
      return dialPlainly(pod, upstream.to, connectTimeoutMs);
  }
}

/** What comes too late is reset. */
function within(opened: Promise<Side>, timeoutMs: number): Promise<Side> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      reject(timedOut());
    }, timeoutMs);
    opened.then(
      (side) => {
        clearTimeout(timer);
        if (isLate) resetSide(side);
        else resolve(side);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

function dialPlainly(
  pod: OutboundPod,
  { address, port }: Destination,
  timeoutMs: number,
): Promise<TcpSide> {
  return new Promise((resolve, reject) => {
    const fd = pod.openSocket(address.includes(":") ? 6 : 4);
    const back = dial({ fd, address, port }, (code) => {
      clearTimeout(timeout);
      if (code === undefined) {
        resolve(back);
        return;
      }
      reject(new Error(`connect to ${address}:${port}`, { cause: code }));
      back.destroy();
    });
    const timeout = setTimeout(() => {
      reject(timedOut());
      back.destroy();
    }, timeoutMs);
  });
}

function timedOut(): Error {
  return new Error("timed out", { cause: "ETIMEDOUT" });
}

const VERDICTS: ReadonlySet<string> = new Set([
  "denied_by_peer",
  "malformed_by_peer",
  "no_leaf",
  "pod_tunnels_exhausted",
]);

export function openFailureCode(error: unknown): string {
  if (error instanceof TunnelError) return error.reason;
  const { code, cause } = error as NodeJS.ErrnoException;
  return dialCode(code ?? cause);
}

/** The peer decided, or the caller lacks something; another endpoint of the service must not be asked until one says yes. */
export function isVerdict(code: string): boolean {
  return VERDICTS.has(code);
}

/** It says something about the endpoint, and not about this node or the caller. */
export function isEndpointFault(code: string): boolean {
  return !isVerdict(code) && code !== "too_many_descriptors";
}

/** What a request is answered with that reached nobody. */
export function statusOfUnreachable(code: string): 403 | 503 {
  // Policy at the other end said it of the connection, as it would of the request.
  return code === "denied_by_peer" ? 403 : 503;
}
