/**
 * Which kind of probe do these first bytes begin? Several may be declared for one port, and kubelet's
 * clients differ from their first three bytes on. Pure.
 */
import type { Probe } from "../../core/model/enrolment.ts";

/** `undefined`: too little to tell. */
export function recogniseProbe(first: Uint8Array): "tls" | "grpc" | "http" | undefined {
  // RFC 8446 5.1: a record of content type handshake(22).
  if (first[0] === 0x16) return "tls";
  if (first.length < 3) return undefined;
  // RFC 9113 3.4: "PRI * HTTP/2.0" opens every connection of HTTP/2 and no request of HTTP/1.1.
  return first[0] === 0x50 && first[1] === 0x52 && first[2] === 0x49 ? "grpc" : "http";
}

/** Whether a declared probe speaks what was recognised. */
export function speaks(probe: Probe, protocol: "tls" | "grpc" | "http"): boolean {
  switch (probe.kind) {
    case "http":
      return protocol === (probe.scheme === "HTTPS" ? "tls" : "http");
    case "grpc":
      return protocol === "grpc";
    case "tcp":
      return false;
  }
}
