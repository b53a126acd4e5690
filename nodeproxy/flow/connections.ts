/**
 * The connections that are open now: so that a change of policy reaches them, the admin endpoint can
 * list them, and stopping can wait for the last.
 */
import type { Permit } from "../authz/decide.ts";
import type { OpenConnection } from "../channel/messages.ts";
import type { ConnectionFacts, ConnectionOutcome } from "./connection-facts.ts";
import { type Cut, describeOpen } from "./describe-open.ts";
import { IdleWatch, type Watchable } from "./idle-watch.ts";
import type { ReadLane } from "./read-lane.ts";
import { ReadLanes } from "./read-lanes.ts";
import { type Hearing, ResetWatch } from "./reset-watch.ts";
import { ServedFlow, type Serving } from "./served-flow.ts";
import { Splice, type SpliceEnd, type SpliceEnds, type SpliceOwner } from "./splice.ts";

/** Told of each connection once it is carried, and once more at its end. */
export interface ConnectionObserver {
  onConnectionOpened(facts: ConnectionFacts): void;
  /** Also for connections that were never opened: refused or failed. */
  onConnectionEnded(facts: ConnectionFacts, outcome: ConnectionOutcome): void;
  /** Of each request of a connection whose requests are judged; `facts.request` is there. */
  onRequestEnded(facts: ConnectionFacts, outcome: ConnectionOutcome): void;
}

/** How an engine is begun: it says once that its connections are gone. */
export type BeginServing = (parts: {
  readonly lane: ReadLane;
  readonly ended: () => void;
}) => Serving;

/** Why an inbound connection may not stay, asked of every open one. */
export type Recheck = (facts: ConnectionFacts) => Cut | undefined;

export class Connections {
  readonly #observer: ConnectionObserver;
  readonly #open = new Set<OpenFlow>();
  readonly #waiting = new Set<Waiter>();
  readonly #idle = new IdleWatch();
  readonly #lanes = new ReadLanes();
  readonly #resets = new ResetWatch(this.#open);
  #dialling = 0;
  #nextId = 1;
  #changes = 0;

  constructor(observer: ConnectionObserver) {
    this.#observer = observer;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Grows whenever a connection opens or ends. */
  get changes(): number {
    return this.#changes;
  }

  /** Carries the connection until it ends. Both sides belong to the splice from here on. */
  carry(permit: Permit, ends: SpliceEnds, facts: ConnectionFacts): void {
    const flow = new Flow(this.#nextId, facts, this);
    this.#nextId += 1;
    this.#changes += 1;
    this.#open.add(flow);
    this.#resets.begin();
    this.#observer.onConnectionOpened(facts);
    flow.start(permit, { ...ends, lane: this.#lanes.enter(facts.pod) });
    if (flow.idleTimeoutMs > 0) this.#idle.add(flow);
  }

  /** Serves the connection request by request until it ends. */
  serve(facts: ConnectionFacts, begin: BeginServing): void {
    const flow = new ServedFlow(this.#nextId, facts, (outcome) => this.ended(flow, outcome));
    this.#nextId += 1;
    this.#changes += 1;
    this.#open.add(flow);
    this.#resets.begin();
    this.#observer.onConnectionOpened(facts);
    const lane = this.#lanes.enter(facts.pod);
    flow.start(begin({ lane, ended: () => flow.end() }));
  }

  /** Of one request that came to its end, or to nothing. */
  reportRequest(facts: ConnectionFacts, outcome: ConnectionOutcome): void {
    this.#observer.onRequestEnded(facts, outcome);
  }

  /** Connections that serve requests take no further ones. */
  drainServed(): void {
    for (const flow of this.#open) flow.drain();
  }

  /** The application of the other end is being reached: stopping waits for it. `dialEnded` follows `carry` or `report`. */
  dialBegun(): void {
    this.#dialling += 1;
  }

  dialEnded(): void {
    this.#dialling -= 1;
    this.#wake();
  }

  /** A connection that came to nothing: refused, or its destination could not be reached. */
  report(facts: ConnectionFacts, outcome: Refusal): void {
    const nothing = { carried: false, bytesSent: 0, bytesReceived: 0 };
    this.#observer.onConnectionEnded(facts, { ...outcome, ...nothing });
  }

  /** Ends every inbound connection that may not stay. Returns how many. */
  recheck(cutOf: Recheck): number {
    let ended = 0;
    for (const flow of this.#open) {
      const cut = flow.facts.attempt && cutOf(flow.facts);
      if (!cut) continue;
      if (cut.isGentle) flow.drain();
      else flow.cut(cut);
      ended += 1;
    }
    return ended;
  }

  /** Ends what a pod has open, with the code of the reason. */
  cutPod(uid: string, code: string): void {
    for (const flow of this.#open) if (flow.facts.pod === uid) flow.cut({ reason: code });
  }

  cutAll(code: string): void {
    for (const flow of this.#open) flow.cut({ reason: code });
  }

  list(limit: number): readonly OpenConnection[] {
    const listed: OpenConnection[] = [];
    for (const flow of this.#open) {
      if (listed.length >= limit) break;
      listed.push(flow.describe());
    }
    return listed;
  }

  /** Resolves once nothing is open or being opened. */
  async drained(): Promise<void> {
    await this.#until(() => this.#open.size === 0 && this.#dialling === 0);
  }

  /** For flows only. */
  ended(flow: OpenFlow, outcome: ConnectionOutcome): void {
    this.#open.delete(flow);
    this.#changes += 1;
    if (flow instanceof Flow && flow.idleTimeoutMs > 0) this.#idle.delete(flow);
    this.#lanes.leave(flow.facts.pod);
    flow.facts.lease?.end();
    this.#observer.onConnectionEnded(flow.facts, outcome);
    this.#wake();
  }

  async #until(isOver: () => boolean): Promise<void> {
    if (isOver()) return;
    await new Promise<void>((resolve) => {
      this.#waiting.add({ isOver, resolve });
    });
  }

  #wake(): void {
    for (const waiter of this.#waiting) {
      if (!waiter.isOver()) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }
}

interface Waiter {
  readonly isOver: () => boolean;
  readonly resolve: () => void;
}

export type Refusal = Pick<ConnectionOutcome, "code" | "policy" | "rule">;

interface OpenFlow extends Hearing {
  readonly id: number;
  readonly facts: ConnectionFacts;
  readonly idleTimeoutMs: number;
  cut(reason: Cut): void;
  /** In order, where it can. */
  drain(): void;
  describe(): OpenConnection;
}

class Flow implements SpliceOwner, Watchable, OpenFlow {
  readonly id: number;
  readonly facts: ConnectionFacts;
  readonly #connections: Connections;
  #splice: Splice | undefined;
  #cut: Cut | undefined;

  constructor(id: number, facts: ConnectionFacts, connections: Connections) {
    this.id = id;
    this.facts = facts;
    this.#connections = connections;
  }

  start(permit: Permit, ends: SpliceEnds): void {
    this.#splice = new Splice(permit, ends, this);
  }

  cut(reason: Cut): void {
    this.#cut ??= reason;
    this.#splice?.cut();
  }

  drain(): void {}

  get idleTimeoutMs(): number {
    return this.facts.idleTimeoutMs ?? 0;
  }

  get bytes(): number {
    return (this.#splice?.bytesForth ?? 0) + (this.#splice?.bytesBack ?? 0);
  }

  hearResets(): void {
    this.#splice?.hearResets();
  }

  endIdle(): void {
    this.cut({ reason: "idle_timeout" });
  }

  onSpliceEnd(end: SpliceEnd): void {
    this.#connections.ended(this, {
      ...(this.#cut?.policy === undefined ? {} : { policy: this.#cut.policy }),
      ...(this.#cut?.rule === undefined ? {} : { rule: this.#cut.rule }),
      code: this.#codeOf(end),
      carried: true,
      bytesSent: this.#splice?.bytesForth ?? 0,
      bytesReceived: this.#splice?.bytesBack ?? 0,
    });
  }

  #codeOf(end: SpliceEnd): string {
    if (this.#cut) return this.#cut.reason;
    return end === "closed" ? "" : (this.#splice?.reason ?? "connection_reset");
  }

  describe(): OpenConnection {
    const bytesSent = this.#splice?.bytesForth ?? 0;
    return describeOpen(this, { bytesSent, bytesReceived: this.#splice?.bytesBack ?? 0 });
  }
}
