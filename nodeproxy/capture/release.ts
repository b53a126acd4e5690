/**
 * When may the release of a pod go on? Its rules stop once no caller tunnels to it any more, and its listeners
 * close once the last connection has ended. Only keeps count: `capture-pod.ts` does it.
 */

/** Twice what lies between two reports of open connections, and a bit: one opened just before the release is seen. */
const DRAIN_MS = 2500;
/** How long a release waits to hear of the tunnel's end before what is known already counts. */
const SETTLE_MS = 2000;

export class Release {
  #isSettled = false;
  #settledAtLatestMs = 0;
  #hasConnections = false;
  #drainedNotBeforeMs = 0;

  /** `isTunnelled`: callers may have been told to use the tunnel, and have to hear that it goes. */
  begin(isTunnelled: boolean): void {
    this.#isSettled = !isTunnelled;
    this.#settledAtLatestMs = Date.now() + SETTLE_MS;
  }

  /** No caller tunnels any more. */
  settle(isSettled = true): void {
    this.#isSettled = isSettled;
  }

  /** As the traffic process reported last. */
  connections(areOpen: boolean): void {
    this.#hasConnections = areOpen;
  }

  /** `hasTunnel`: as far as is known, without having heard of the end. */
  mayStop(hasTunnel: () => boolean): boolean {
    return this.#isSettled || (Date.now() >= this.#settledAtLatestMs && !hasTunnel());
  }

  /** New connections go past Weft from now on. */
  stopped(): void {
    this.#drainedNotBeforeMs = Date.now() + DRAIN_MS;
  }

  isDrained(): boolean {
    return !this.#hasConnections && Date.now() >= this.#drainedNotBeforeMs;
  }

  /** The pod is gone; another may come under its UID. */
  reset(): void {
    this.#isSettled = false;
    this.#hasConnections = false;
  }
}
