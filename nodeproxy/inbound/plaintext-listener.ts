/**
 * Takes what reaches a captured pod without a tunnel, on port 15006: by mode and policy to the pod, or,
 * where kubelet may be asking, the probe that the pod declared.
 */
import type { Socket } from "node:net";
import type { Probe } from "../../core/model/enrolment.ts";
import { canonicalIp } from "../../core/model/ip.ts";
import type { Denial } from "../authz/verdict.ts";
import { resetSide } from "../flow/side.ts";
import { type CarryFailure, carryIn, factsOf, type InboundCall } from "./carry-in.ts";
import { refusalOf } from "./decision-facts.ts";
import type { InboundPod } from "./inbound-pod.ts";
import { isOwnPort } from "./parse-attempt.ts";
import type { ProbeCall, ProbePerformer } from "./perform-probe.ts";

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
  // Kubelet needs no probe performed where its connection may pass as it is.
  const denial = mayBeKubelet ? denialOf(call) : undefined;
  if (denial) probes.perform(new PlaintextProbe(call, candidates, denial));
  else carryIn(call);
}

function denialOf(call: InboundCall): Denial | undefined {
  const { pod } = call;
  const { verdict } = pod.judge.decide(pod.uid, factsOf(call).attempt);
  return verdict.kind === "deny" ? verdict : undefined;
}

/** Says in the log how a probe ended, if it did not end as declared. Answered ones are no connections to the pod. */
class PlaintextProbe implements ProbeCall {
  readonly pod: InboundPod;
  readonly socket: Socket;
  readonly address: string;
  readonly candidates: readonly Probe[];
  readonly #call: PlaintextCall;
  readonly #denial: Denial;
  #isEnded = false;

  constructor(call: PlaintextCall, candidates: readonly Probe[], denial: Denial) {
    this.pod = call.pod;
    this.socket = call.front;
    this.address = call.address;
    this.candidates = candidates;
    this.#call = call;
    this.#denial = denial;
  }

  refuse(): void {
    this.#end(refusalOf(this.#denial));
  }

  unanswered(): void {
    this.#end({ code: "probe_unanswered" });
  }

  #end(outcome: Parameters<InboundPod["connections"]["report"]>[1]): void {
    if (!this.#isEnded) this.pod.connections.report(factsOf(this.#call), outcome);
    this.#isEnded = true;
    resetSide(this.socket);
  }
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
