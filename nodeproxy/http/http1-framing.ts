/** How a message of HTTP/1 tells where its body ends: RFC 9112 6. */

export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly octets: number }
  | { readonly kind: "chunked" }
  /** With the connection; responses only. */
  | { readonly kind: "close" };

export const NO_BODY: Framing = { kind: "none" };
export const CHUNKED: Framing = { kind: "chunked" };
export const UNTIL_CLOSE: Framing = { kind: "close" };

/** The parser has seen digits and nothing else. `undefined` beyond what can be counted. */
export function framingOfLength(contentLength: string): Framing | undefined {
  const octets = Number(contentLength);
  return Number.isSafeInteger(octets) ? { kind: "length", octets } : undefined;
}

/** Nothing is behind the head. */
export function isEmpty(framing: Framing): boolean {
  return framing.kind === "none" || (framing.kind === "length" && framing.octets === 0);
}

/** Of an old client none can read chunks, and its body ends with the connection. */
export function framingTo(framing: Framing, isOld: boolean): Framing {
  if (isOld) return framing.kind === "chunked" ? UNTIL_CLOSE : framing;
  return framing.kind === "close" ? CHUNKED : framing;
}
