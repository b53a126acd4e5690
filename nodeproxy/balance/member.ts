/** One endpoint of a Service's port as its balancer remembers it, across changes of membership. */
import type { Endpoint } from "../../core/model/service.ts";
import { type Affinity, ClientAffinity } from "./client-affinity.ts";
import type { Latency } from "./latency.ts";
import type { PickState } from "./picker.ts";

export interface Member extends PickState {
  readonly address: string;
  readonly port: number;
  /** As its slice last told it. */
  readonly endpoint: Endpoint;
  /** When this node first heard of it; of those that were there when it heard of the Service: before all. */
  readonly sinceMs: number;
  readonly health: MemberHealth;
  /** As the requests of this thread have found it. */
  readonly latency: Latency;
}

/** Shared by all versions of a member; and, where worker threads carry the traffic, by all of them. */
export interface MemberHealth {
  /** Connections of this node proxy to it, being opened or open, for this Service. */
  readonly open: number;
  /** Counts one more, or says false where there are `most` already; 0: no limit. */
  enter(most: number): boolean;
  leave(): void;
  /** Requests of this node proxy under way to it, for this Service. */
  readonly active: number;
  /** Counts one more, or says false where there are `most` already; 0: no limit. */
  begin(most: number): boolean;
  finish(): void;
  /** Failures to connect since the last success. */
  failures: number;
  /** Answers that say 5xx since the last other one. */
  serverErrors: number;
  /** Answers that say 502, 503 or 504 since the last other one. */
  gatewayErrors: number;
  /** All answers and those of them that say 5xx, since whenever: only differences mean anything. */
  readonly answers: number;
  readonly failedAnswers: number;
  countAnswer(isFailed: boolean): void;
  /** Ejections one soon after the other. */
  ejections: number;
  /** 0: not ejected. */
  ejectedUntilMs: number;
  /** What active checks say. */
  isFailing: boolean;
}

/** Where balancers keep what they know of endpoints and callers. */
export interface Healths {
  /** Of a Service's port and an endpoint, by a key that says both, and whose address it is. */
  of(key: string): MemberHealth;
  /** Of a Service's port, by a key that says both. */
  affinity(key: string): Affinity;
  /** Differs whenever somebody else may have ejected an endpoint or taken it back. */
  readonly version: number;
  /** To be called after either. */
  changed(): void;
  /** Nobody else ejects meanwhile. */
  exclusively<Result>(work: () => Result): Result;
}

/** For one thread alone. */
export class LocalHealths implements Healths {
  readonly version = 0;

  of(): MemberHealth {
    return new LocalHealth();
  }

  affinity(): Affinity {
    return new ClientAffinity();
  }

  changed(): void {}

  exclusively<Result>(work: () => Result): Result {
    return work();
  }
}

class LocalHealth implements MemberHealth {
  open = 0;
  failures = 0;
  ejections = 0;
  ejectedUntilMs = 0;
  isFailing = false;
  active = 0;
  serverErrors = 0;
  gatewayErrors = 0;
  answers = 0;
  failedAnswers = 0;

  enter(most: number): boolean {
    if (most > 0 && this.open >= most) return false;
    this.open += 1;
    return true;
  }

  leave(): void {
    this.open -= 1;
  }

  begin(most: number): boolean {
    if (most > 0 && this.active >= most) return false;
    this.active += 1;
    return true;
  }

  finish(): void {
    this.active -= 1;
  }

  countAnswer(isFailed: boolean): void {
    this.answers += 1;
    if (isFailed) this.failedAnswers += 1;
  }
}
