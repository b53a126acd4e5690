/** How a server's response goes on to a client: how its end is told, and whether the client's connection lives on. Pure. */
import type { Pass } from "./http1-exchange-host.ts";
import { type Framing, framingTo } from "./http1-framing.ts";
import { bodilessText, type ConnectionWord, responseText } from "./http1-head-text.ts";
import type { Request } from "./http1-request.ts";
import type { Response } from "./http1-response.ts";
import type { ResponseHead } from "./message.ts";

export interface ResponsePlan {
  readonly to: Framing;
  /** The next request may come by the same connection. */
  readonly isKept: boolean;
  readonly word: ConnectionWord;
}

/** `isSent`: the whole request. */
export function planResponse(
  { head, isKept }: Request,
  response: Response,
  { isLast, isSent }: { readonly isLast: boolean; readonly isSent: boolean },
): ResponsePlan {
  const isOld = head.version === "1.0";
  const to = framingTo(response.framing, isOld);
  // Who is told no while it still sends is to stop, and the rest of its body is nobody's request.
  const isToStop = !isSent && response.head.status >= 400;
  const isGoingOn = isKept && !isLast && to.kind !== "close" && !isToStop;
  return { to, isKept: isGoingOn, word: isGoingOn ? (isOld ? "keep-alive" : "") : "close" };
}

/** As whoever let its request pass wants it. A change of protocol is no answer yet, and no route changes it. */
export function answerHead(head: ResponseHead, { way, fields = [] }: Pass): ResponseHead {
  const changed = head.status === 101 ? head : (way?.changeResponse?.(head) ?? head);
  if (fields.length === 0) return changed;
  return { status: changed.status, fields: [...changed.fields, ...fields] };
}

export function plannedText(head: ResponseHead, { to, word }: ResponsePlan): string {
  return to.kind === "none" ? bodilessText(head, word) : responseText(head, to, word);
}
