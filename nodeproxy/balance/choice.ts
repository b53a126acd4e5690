/** What a balancer answers. */
import type { Member } from "./member.ts";

export type Choice =
  | { readonly kind: "member"; readonly member: Member }
  | { readonly kind: "none"; readonly reason: NoChoice };

/** Codes of the access log. */
export type NoChoice =
  /** There is none, or all that there are were tried. */
  | "no_ready_endpoint"
  /** Every one is ejected, or fails its checks. */
  | "no_healthy_endpoint"
  /** Some could be taken if they were not full. */
  | "endpoint_connections_exhausted";
