/** Weft's own ports in each captured pod's network namespace. As original destinations they are refused. */

/** Everything the pod opens, by REDIRECT in OUTPUT. */
export const OUTBOUND_PORT = 15001;
/** Inbound plaintext, by REDIRECT in PREROUTING. */
export const INBOUND_PORT = 15006;
/** Inbound tunnels, addressed directly. */
export const TUNNEL_PORT = 15008;
/** Nothing listens here; connections to ports that the pod does not listen on are led to it and refused. */
export const CLOSED_PORT = 15009;

/** The order in which listening sockets stand beside a `pod` message. */
export const LISTENING_PORTS = [OUTBOUND_PORT, INBOUND_PORT, TUNNEL_PORT] as const;
