/** A call that was answered so that its caller would speak: a refusal comes too late to be said, and ends it abruptly. */

import { resetSide, type Side } from "../flow/side.ts";
import type { Opening } from "../flow/splice.ts";
import type { VerifiedPeer } from "../identity/verify-peer.ts";
import type { InboundCall } from "./carry-in.ts";
import type { InboundPod } from "./inbound-pod.ts";

export class HeardCall implements InboundCall {
  readonly pod: InboundPod;
  readonly front: Side;
  readonly opening: Opening;
  readonly peer: VerifiedPeer | undefined;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly address: string;
  readonly port: number;

  constructor(call: InboundCall, opening: Opening) {
    this.pod = call.pod;
    this.front = call.front;
    this.opening = opening;
    this.peer = call.peer;
    this.sourceAddress = call.sourceAddress;
    this.sourcePort = call.sourcePort;
    this.address = call.address;
    this.port = call.port;
  }

  answer(): void {}

  refuse(): void {
    resetSide(this.front);
  }
}
