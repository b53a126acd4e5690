/**
 * What the init container `weft-gate` and the node proxy say to each other.
 *
 *     pod  → `weft-gate 1 NONCE\n`      node proxy → `weft-ready 1 NONCE\n`, then closes
 *
 * A node proxy answers version 1 for ever: init containers of an older release run again after a reboot.
 */

/** Addresses that nobody has: only the redirect of a captured pod leads a connection to the node proxy. */
export const GATE_ADDRESS_V4 = "169.254.7.1";
export const GATE_ADDRESS_V6 = "fd16:9254:7::1";
export const GATE_PORT = 15021;
/** Longest line, with its end. */
export const GATE_LINE_BYTES = 128;

/** True for the original destination of a gate's connection. `address` is canonical. */
export function isGateDestination(destination: {
  readonly address: string;
  readonly port: number;
}): boolean {
  const { address, port } = destination;
  return port === GATE_PORT && (address === GATE_ADDRESS_V4 || address === GATE_ADDRESS_V6);
}

export function gateQuestion(nonce: string): string {
  return `weft-gate 1 ${nonce}\n`;
}

/** `undefined` where the text is no question. A version from the future is answered with ours. */
export function gateAnswer(question: string): string | undefined {
  const nonce = /^weft-gate [1-9][0-9]{0,3} ([0-9a-f]{16,64})\n$/.exec(question)?.[1];
  return nonce === undefined ? undefined : `weft-ready 1 ${nonce}\n`;
}

export function isGateAnswer(text: string, nonce: string): boolean {
  return text === `weft-ready 1 ${nonce}\n`;
}
