/** What is to be done with one request by the routes of its Service. */
import type { BackendRef, RouteRule } from "../../../core/model/http-route.ts";
import type { FieldLines, RequestHead, ResponseHead } from "../message.ts";

export type RoutePlan =
  | {
      readonly kind: "forward";
      readonly rule: RouteRule;
      readonly to: BackendRef;
      /** As filters have changed it. */
      readonly head: RequestHead;
      /** Where the same is sent too, and its answer not waited for. */
      readonly mirrors: readonly BackendRef[];
      readonly changeResponse: ((head: ResponseHead) => ResponseHead) | undefined;
    }
  | {
      readonly kind: "answer";
      readonly rule: RouteRule | undefined;
      readonly status: number;
      readonly reason: RouteRefusal;
      readonly fields: FieldLines;
    };

/** "": no refusal, but a redirect or the answer to a CORS preflight. */
export type RouteRefusal = "" | "route_not_found" | "backend_invalid";
