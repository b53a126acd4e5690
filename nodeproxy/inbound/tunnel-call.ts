/** One CONNECT stream of a tunnel as `carryIn` sees it: who asks for which port, and how it is answered. */
import type { ServerHttp2Stream } from "node:http2";
import type { VerifiedPeer } from "../identity/verify-peer.ts";
import type { CarryFailure, InboundCall } from "./carry-in.ts";
import type { InboundPod } from "./inbound-pod.ts";

/** Node would add a `date` field to each answer (`sendDate` is not among its types). */
const ACCEPTED = { endStream: false, sendDate: false };

interface CallEnds {
  readonly peer: VerifiedPeer;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly address: string;
  readonly port: number;
}

export class TunnelCall implements InboundCall {
  readonly pod: InboundPod;
  readonly front: ServerHttp2Stream;
  readonly peer: VerifiedPeer;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly address: string;
  readonly port: number;

  constructor(pod: InboundPod, stream: ServerHttp2Stream, ends: CallEnds) {
    this.pod = pod;
    this.front = stream;
    this.peer = ends.peer;
    this.sourceAddress = ends.remoteAddress;
    this.sourcePort = ends.remotePort;
    this.address = ends.address;
    this.port = ends.port;
  }

  answer(): void {
    if (!this.front.destroyed) this.front.respond({ ":status": 200 }, ACCEPTED);
  }

  refuse(failure: CarryFailure): void {
    endCall(this.front, failure === "denied" ? 401 : 503);
  }
}

/** Answers without carrying. */
export function endCall(stream: ServerHttp2Stream, status: number): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ":status": status }, { endStream: true });
  // The caller ends its half on this answer; a RST_STREAM behind it could overtake it in Node's client.
  stream.resume();
}
