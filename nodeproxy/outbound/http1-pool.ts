/**
 * The HTTP/1 connections of one calling pod that no request needs at the moment, by the endpoint that they go to.
 *
 * Never shared between pods. One is given to one request at a time, the one first that was used last; it ends once it
 * idles for long, its endpoint goes, or the pod is released.
 */
import type { Lease } from "../flow/connection-facts.ts";
import type { ReadLane } from "../flow/read-lane.ts";
import type { Side } from "../flow/side.ts";
import { Back, type BackKeeper } from "../http/http1-back.ts";
import { type EndpointRef, nameOf } from "./endpoint-ref.ts";
import { IDLE_MS, SWEEP_MS } from "./pool-times.ts";

interface Group {
  readonly name: string;
  readonly ref: EndpointRef;
  /** In the order in which they became free. */
  readonly free: Back[];
  size: number;
  isGone: boolean;
}

interface Kept {
  readonly group: Group;
  readonly lease: Lease;
  /** Requests that it may serve, as its latest one says; 0: as many as may come. */
  most: number;
  freeSinceMs: number;
}

interface AddedConnection {
  readonly lease: Lease;
  readonly lane: ReadLane;
  readonly most: number;
}

export class Http1Pool implements BackKeeper {
  readonly #groups = new Map<string, Group>();
  readonly #kept = new Map<Back, Kept>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** Free, and taken out; to be used at once. `most`: requests that one connection may serve; 0: no limit. */
  take(ref: EndpointRef, most: number): Back | undefined {
    const free = this.#groups.get(nameOf(ref))?.free;
    for (let back = free?.pop(); back; back = free?.pop()) {
      const kept = this.#kept.get(back);
      if (kept && back.isFree && hasUses(back, most)) {
        kept.most = most;
        return back;
      }
      back.close();
    }
    return undefined;
  }

  /** A connection that was opened for a request: to be used at once, or free. The lease ends with it. */
  add(ref: EndpointRef, side: Side, { lease, lane, most }: AddedConnection): Back {
    const name = nameOf(ref);
    const group = this.#groups.get(name) ?? { name, ref, free: [], size: 0, isGone: false };
    this.#groups.set(name, group);
    group.size += 1;
    const back = new Back(lane, this);
    this.#kept.set(back, { group, lease, most, freeSinceMs: 0 });
    back.adopt(side);
    return back;
  }

  /** Ends the one that has been free for longest, so that another may be opened. False where none is. */
  endOldest(): boolean {
    let oldest: { readonly back: Back; readonly sinceMs: number } | undefined;
    for (const { free } of this.#groups.values()) {
      const [back] = free;
      const sinceMs = (back && this.#kept.get(back)?.freeSinceMs) ?? 0;
      if (back && (!oldest || sinceMs < oldest.sinceMs)) oldest = { back, sinceMs };
    }
    oldest?.back.close();
    return oldest !== undefined;
  }

  /** Ends those to endpoints that are gone; what carries a request ends with that. */
  retain(isThere: (ref: EndpointRef) => boolean): void {
    for (const group of this.#groups.values()) if (!isThere(group.ref)) this.#leave(group);
  }

  /** What carries a request ends with that. */
  close(): void {
    this.#isClosed = true;
    for (const group of this.#groups.values()) this.#leave(group);
  }

  onFree(back: Back): void {
    const kept = this.#kept.get(back);
    if (!kept) return;
    if (this.#isClosed || kept.group.isGone || !hasUses(back, kept.most)) {
      back.close();
      return;
    }
    kept.freeSinceMs = performance.now();
    kept.group.free.push(back);
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  onOver(back: Back): void {
    const kept = this.#kept.get(back);
    if (!kept) return;
    const { group, lease } = kept;
    this.#kept.delete(back);
    const at = group.free.indexOf(back);
    if (at >= 0) group.free.splice(at, 1);
    group.size -= 1;
    if (group.size === 0) this.#forget(group);
    lease.end();
  }

  /** Whoever has the address next gets connections of its own. */
  #leave(group: Group): void {
    group.isGone = true;
    this.#forget(group);
    for (const back of Array.from(group.free)) back.close();
  }

  #forget(group: Group): void {
    if (this.#groups.get(group.name) === group) this.#groups.delete(group.name);
    if (this.#groups.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sweep(): void {
    const beforeMs = performance.now() - IDLE_MS;
    for (const { free } of this.#groups.values()) {
      for (const back of Array.from(free)) {
        if (!back.isFree || (this.#kept.get(back)?.freeSinceMs ?? 0) < beforeMs) back.close();
      }
    }
  }
}

/** For one request more. */
function hasUses({ uses }: Back, most: number): boolean {
  return most === 0 || uses < most;
}
