/**
 * The HTTP/2 sessions of one calling pod, by the endpoint that they go to: each for as many requests at once as its
 * server takes, another beside it where that is not enough.
 *
 * Never shared between pods. One ends once it idles for long, its endpoint goes, or the pod is released; what runs over
 * it ends by itself. Which endpoint a request goes to is not asked here.
 */
import type { Lease } from "../flow/connection-facts.ts";
import { resetSide } from "../flow/side.ts";
import { HTTP_LIMITS } from "../http/http-limits.ts";
import { Http2Carrier } from "../http/http2-carrier.ts";
import { type EndpointRef, nameOf } from "./endpoint-ref.ts";
import type { Chosen, OpenedSide } from "./open-for-request.ts";
import { IDLE_MS, SWEEP_MS } from "./pool-times.ts";

/** From a connection's beginning to the server's SETTINGS. */
const READY_MS = 10_000;

/** A request on its way to a session. Told one of both, once. */
export interface SessionWaiter {
  /** Requests that one session may carry; 0: no limit. */
  readonly most: number;
  /** To be used within the call, or not at all. */
  onSession(carrier: Http2Carrier): void;
  /** "": there is one, and no room in it. */
  onNone(code: string): void;
}

export interface SessionWish {
  /** Never rejects; or says why not. */
  open(): Promise<OpenedSide | string>;
  /** What a session takes up that carries requests. */
  readonly holding: Lease;
  readonly route: Chosen;
}

export interface BusySession {
  /** As it was opened. */
  readonly route: Chosen;
  /** At once. */
  use(waiter: SessionWaiter): void;
}

interface Group {
  readonly name: string;
  readonly ref: EndpointRef;
  readonly kept: Set<Kept>;
  /** Who waits for the one that is being opened. */
  waiting: SessionWaiter[] | undefined;
  isGone: boolean;
}

interface Kept {
  readonly carrier: Http2Carrier;
  readonly route: Chosen;
  /** Requests that it has carried, or carries. */
  uses: number;
  /** It gets no more, and ends behind the last one. */
  isWorn: boolean;
  /** As long as it carries requests. */
  holding: Lease | undefined;
  idleSinceMs: number;
}

export class Http2Pool {
  readonly #groups = new Map<string, Group>();
  /** Of endpoints that are gone as well. */
  readonly #sessions = new Set<Kept>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** Goes along with other requests to the endpoint, now or once its session is open. False: there is none that carries any. */
  share(ref: EndpointRef, waiter: SessionWaiter): boolean {
    const group = this.#groups.get(nameOf(ref));
    const kept = group && leastBusy(group.kept);
    if (kept) this.#give(kept, waiter);
    else if (group?.waiting) group.waiting.push(waiter);
    else return false;
    return true;
  }

  /** One that carries requests, and has room, at whatever endpoint of the Service's port. To be used at once. */
  anyBusy(service: string, port: number): BusySession | undefined {
    const groups = Array.from(this.#groups.values()).filter(
      ({ ref }) => ref.service === service && ref.port === port,
    );
    const kept = leastBusy(groups.flatMap((group) => [...group.kept]));
    return kept && { route: kept.route, use: (waiter) => this.#give(kept, waiter) };
  }

  /** Over a session that carries nothing, or a new one. */
  begin(ref: EndpointRef, waiter: SessionWaiter, wish: SessionWish): void {
    const group = this.#group(ref);
    const idle = Array.from(group.kept).find((kept) => hasRoom(kept) && kept.carrier.running === 0);
    if (idle) {
      idle.holding = wish.holding;
      this.#give(idle, waiter);
      this.#settle(idle);
      return;
    }
    group.waiting = [waiter];
    void this.#open(group, group.waiting, wish);
  }

  /** Ends the one that has carried nothing for longest, so that another may be opened. False where none is. */
  endOldest(): boolean {
    const idle = Array.from(this.#sessions).filter(
      ({ carrier }) => carrier.isOpen && carrier.running === 0,
    );
    const [oldest] = idle.toSorted((a, b) => a.idleSinceMs - b.idleSinceMs);
    oldest?.carrier.destroy();
    return oldest !== undefined;
  }

  /** Ends those to endpoints that are gone; what carries requests ends with them. */
  retain(isThere: (ref: EndpointRef) => boolean): void {
    for (const group of this.#groups.values()) if (!isThere(group.ref)) this.#leave(group);
  }

  /** What carries requests ends with them. */
  close(): void {
    this.#isClosed = true;
    for (const group of this.#groups.values()) this.#leave(group);
  }

  #give(kept: Kept, waiter: SessionWaiter): void {
    const { carrier } = kept;
    const before = carrier.running;
    waiter.onSession(carrier);
    if (carrier.running > before) kept.uses += 1;
    kept.isWorn = waiter.most > 0 && kept.uses >= waiter.most;
  }

  #group(ref: EndpointRef): Group {
    const name = nameOf(ref);
    const known = this.#groups.get(name);
    if (known) return known;
    const group: Group = { name, ref, kept: new Set(), waiting: undefined, isGone: false };
    this.#groups.set(name, group);
    return group;
  }

  async #open(group: Group, waiting: SessionWaiter[], wish: SessionWish): Promise<void> {
    const opened = await wish.open();
    const kept = typeof opened === "string" ? opened : await this.#ready(group, opened, wish.route);
    if (group.waiting === waiting) group.waiting = undefined;
    if (typeof kept === "string") {
      wish.holding.end();
      this.#forget(group);
      for (const waiter of waiting) waiter.onNone(kept);
      return;
    }
    kept.holding = wish.holding;
    for (const waiter of waiting) {
      if (hasRoom(kept)) this.#give(kept, waiter);
      else waiter.onNone("");
    }
    this.#settle(kept);
    if (group.isGone || this.#isClosed) kept.carrier.close();
  }

  /** Once the server has said how much it takes. */
  #ready(group: Group, { side, lease }: OpenedSide, route: Chosen): Promise<Kept | string> {
    const { promise, resolve } = Promise.withResolvers<Kept | string>();
    const timer = setTimeout(() => {
      resolve("connect_timeout");
      resetSide(side);
    }, READY_MS);
    const carrier = new Http2Carrier(side, HTTP_LIMITS, {
      onReady: () => {
        clearTimeout(timer);
        group.kept.add(kept);
        this.#sessions.add(kept);
        this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
        resolve(kept);
      },
      onLeft: () => this.#settle(kept),
      onClosing: () => group.kept.delete(kept),
      onClosed: () => {
        clearTimeout(timer);
        this.#over(group, kept);
        lease.end();
        resolve("upstream_reset");
      },
    });
    const kept: Kept = {
      carrier,
      route,
      uses: 0,
      isWorn: false,
      holding: undefined,
      idleSinceMs: 0,
    };
    return promise;
  }

  #settle(kept: Kept): void {
    if (kept.carrier.running > 0) return;
    kept.idleSinceMs = performance.now();
    kept.holding?.end();
    kept.holding = undefined;
    // Worn, or out of numbers for requests.
    if (kept.isWorn || !kept.carrier.isOpen) kept.carrier.close();
  }

  #over(group: Group, kept: Kept): void {
    kept.holding?.end();
    kept.holding = undefined;
    group.kept.delete(kept);
    this.#sessions.delete(kept);
    this.#forget(group);
    if (this.#sessions.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Whoever has the address next gets sessions of its own. */
  #leave(group: Group): void {
    group.isGone = true;
    if (this.#groups.get(group.name) === group) this.#groups.delete(group.name);
    for (const { carrier } of group.kept) carrier.close();
  }

  #forget(group: Group): void {
    if (group.kept.size > 0 || group.waiting) return;
    if (this.#groups.get(group.name) === group) this.#groups.delete(group.name);
  }

  #sweep(): void {
    const beforeMs = performance.now() - IDLE_MS;
    for (const { carrier, idleSinceMs } of this.#sessions) {
      if (carrier.isOpen && carrier.running === 0 && idleSinceMs < beforeMs) carrier.close();
    }
  }
}

/** Of those that carry requests and take more. */
function leastBusy(all: Iterable<Kept>): Kept | undefined {
  let best: Kept | undefined;
  for (const kept of all) {
    const { running } = kept.carrier;
    if (!hasRoom(kept) || running === 0) continue;
    if (!best || running < best.carrier.running) best = kept;
  }
  return best;
}

function hasRoom({ carrier, isWorn }: Kept): boolean {
  return carrier.hasRoom && !isWorn;
}
