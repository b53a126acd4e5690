/**
 * Takes what reaches a captured pod without a tunnel, on port 15006: by mode and policy to the pod, or,
 * where kubelet may be asking, the probe that the pod declared.
 */
import type { Socket } from "node:net";
import { canonicalIp } from "../../core/model/ip.ts";
import { resetSide } from "../flow/side.ts";
import { type CarryFailure, carryIn, factsOf, type InboundCall } from "./carry-in.ts";
import type { InboundPod } from "./inbound-pod.ts";
import { isOwnPort } from "./parse-attempt.ts";
import type { ProbePerformer } from "./perform-probe.ts";

export interface PlaintextParts {
  readonly pod: InboundPod;
  readonly probes: ProbePerformer;
  /** Where the connection was going before the redirect. Throws `SysError`. */
  readonly destinationOf: (socket: Socket) => { readonly address: string; readonly port: number };
}

/** For a server's "connection": never throws, never waits. The socket is half-open-capable and paused. */
export function takePlaintext(
  { pod, probes, destinationOf }: PlaintextParts,
  socket: Socket,
): void {
  socket.on("error", ignore);
  // A socket that is gone already has no address left; what follows refuses or ends it.
  const source = remoteOf(socket);
  const call = new PlaintextCall(pod, socket, {
    source,
    to: destinationTried(destinationOf, socket),
  });
  const { addresses = [], probes: declared = [], nodeAddresses = [] } = pod.enrolment() ?? {};
  if (isOwnPort(call.port) || !addresses.includes(call.address)) {
    pod.connections.report(factsOf(call), {
      code: isOwnPort(call.port) ? "own_port" : "foreign_address",
    });
    resetSide(socket);
    return;
  }
  const candidates = declared.filter((probe) => probe.port === call.port);
  const mayBeKubelet = candidates.length > 0 && nodeAddresses.includes(source);
  if (mayBeKubelet && isDenied(call)) {
    probes.perform({ pod, socket, address: call.address, candidates });
    return;
  }
  carryIn(call);
}

/** Kubelet needs no probe performed where its connection may pass as it is. */
function isDenied(call: InboundCall): boolean {
  const { pod } = call;
  return pod.judge.decide(pod.uid, factsOf(call).attempt).verdict.kind === "deny";
}

function remoteOf({ remoteAddress }: Socket): string {
  return canonicalIp(remoteAddress ?? "") ?? "";
}

function destinationTried(
  destinationOf: PlaintextParts["destinationOf"],
  socket: Socket,
): { readonly address: string; readonly port: number } {
  try {
    return destinationOf(socket);
  } catch {
    // Conntrack does not know it: it reached the listener without the redirect.
    return { address: "", port: 0 };
  }
}

interface PlaintextEnds {
  readonly source: string;
  readonly to: { readonly address: string; readonly port: number };
}

class PlaintextCall implements InboundCall {
  readonly pod: InboundPod;
  readonly front: Socket;
  readonly peer = undefined;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly address: string;
  readonly port: number;

  constructor(pod: InboundPod, socket: Socket, { source, to }: PlaintextEnds) {
    this.pod = pod;
    this.front = socket;
    this.sourceAddress = source;
    this.sourcePort = socket.remotePort ?? 0;
    this.address = to.address;
    this.port = to.port;
  }

  answer(): void {}

  refuse(_failure: CarryFailure): void {
    resetSide(this.front);
  }
}

function ignore(): void {}
