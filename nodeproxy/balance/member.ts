/** One endpoint of a Service's port as its balancer remembers it, across changes of membership. */
import type { Endpoint } from "../../core/model/service.ts";
import type { PickState } from "./picker.ts";

export interface Member extends PickState {
  readonly address: string;
  readonly port: number;
  /** As its slice last told it. */
  readonly endpoint: Endpoint;
  /** When this node first heard of it. */
  readonly sinceMs: number;
  readonly health: MemberHealth;
}

/** Shared by all versions of a member. */
export interface MemberHealth {
  /** Connections of this node proxy to it, being opened or open, for this Service. */
  open: number;
  /** Failures to connect since the last success. */
  failures: number;
  /** Ejections one soon after the other. */
  ejections: number;
  /** 0: not ejected. */
  ejectedUntilMs: number;
  /** What active checks say. */
  isFailing: boolean;
}

export function freshHealth(): MemberHealth {
  return { open: 0, failures: 0, ejections: 0, ejectedUntilMs: 0, isFailing: false };
}
