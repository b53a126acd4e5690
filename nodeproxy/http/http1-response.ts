/** What a response's head says of itself and of the connection, or that it is none that could be passed on: pure. */

import { type SortedFields, sortFields } from "./http1-fields.ts";
import { CHUNKED, type Framing, framingOfLength, NO_BODY, UNTIL_CLOSE } from "./http1-framing.ts";
import type { Head } from "./http1-head-reader.ts";
import type { ResponseHead } from "./message.ts";

export interface Response {
  readonly head: ResponseHead;
  readonly framing: Framing;
  /** The server goes on with this connection, for so many seconds if it says how many. */
  readonly isKept: boolean;
  readonly keptSeconds: number | undefined;
  /** In lower case: the protocol that it changes to, where the status is 101. */
  readonly upgrade: string;
}

/** `undefined` where two readers could disagree about it. */
export function readResponse(head: Head, method: string): Response | undefined {
  if (head.major !== 1 || head.minor > 1) return undefined;
  const sorted = sortFields(head.lines);
  const framing = framingOf(head, sorted, method);
  if (!framing || sorted.hosts.length > 0) return undefined;
  const { options, keptSeconds, upgrades } = sorted;
  const isKept = head.minor === 1 || options.includes("keep-alive");
  return {
    head: { status: head.status, fields: sorted.fields },
    framing,
    isKept: isKept && !options.includes("close") && framing.kind !== "close",
    keptSeconds,
    upgrade: options.includes("upgrade") ? upgrades.join().toLowerCase() : "",
  };
}

/** RFC 9112 6.3, in its order, but for what it calls a likely attack. */
function framingOf(head: Head, sorted: SortedFields, method: string): Framing | undefined {
  const { codings, contentLength } = sorted;
  const [coding] = codings;
  const isChunked = coding?.toLowerCase() === "chunked";
  if (codings.length > 1 || (coding !== undefined && !isChunked)) return undefined;
  if (isChunked && (contentLength !== "" || head.minor === 0)) return undefined;
  if (method === "HEAD" || isBodiless(head.status)) return NO_BODY;
  if (isChunked) return CHUNKED;
  return contentLength === "" ? UNTIL_CLOSE : framingOfLength(contentLength);
}

/** Of which RFC 9110 6.4.1 says that they have no content, whatever their fields say. */
function isBodiless(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}
