/** One CONNECT stream of a tunnel as `carryIn` sees it: who asks for which port, and how it is answered. */
import type { HboneStream } from "../hbone/stream.ts";
import type { VerifiedPeer } from "../identity/verify-peer.ts";
import type { CarryFailure, InboundCall } from "./carry-in.ts";
import type { InboundPod } from "./inbound-pod.ts";

interface CallEnds {
  readonly peer: VerifiedPeer;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly address: string;
  readonly port: number;
}

export class TunnelCall implements InboundCall {
  readonly pod: InboundPod;
  readonly front: HboneStream;
  readonly peer: VerifiedPeer;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly address: string;
  readonly port: number;

  constructor(pod: InboundPod, stream: HboneStream, ends: CallEnds) {
    this.pod = pod;
    this.front = stream;
    this.peer = ends.peer;
    this.sourceAddress = ends.remoteAddress;
    this.sourcePort = ends.remotePort;
    this.address = ends.address;
    this.port = ends.port;
  }

  answer(): void {
    this.front.answer(200, false);
  }

  refuse(failure: CarryFailure): void {
    this.front.answer(failure === "denied" ? 401 : 503, true);
  }
}
