/** What an exchange of HTTP/1 is given, and what it tells the client's connection. */
import type { HttpLimits } from "./http-limits.ts";
import type { Line } from "./http1-line.ts";
import type { Refusal } from "./http1-own-response.ts";
import type { Request } from "./http1-request.ts";
import type { GateAnswer } from "./message.ts";

export type Pass = Extract<GateAnswer, { readonly kind: "pass" }>;

export interface Asked {
  readonly request: Request;
  readonly pass: Pass;
}

/** The client's connection, and what it does once the exchange is over. */
export interface ExchangeHost {
  readonly front: Line;
  readonly limits: HttpLimits;
  /** No request is to follow. */
  readonly isLast: boolean;
  /** Says why there is no response, of which nothing has been sent. */
  answerFailure(failure: Refusal, isKept: boolean): void;
  /** `kept`: the next request may come. `closing`: none comes, behind what was sent. `gone`: the client is, too. */
  exchangeEnded(next: "kept" | "closing" | "gone"): void;
}
