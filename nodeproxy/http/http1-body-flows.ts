/** The bodies of one exchange, or what its ends say to each other once it has changed the protocol: one flow each way. */
import type { HttpLimits } from "./http-limits.ts";
import { BodyFlow, type BodyKeeper, type BodyRoute } from "./http1-body-flow.ts";
import { type Framing, isEmpty, UNTIL_CLOSE } from "./http1-framing.ts";
import type { Line } from "./http1-line.ts";

export class BodyFlows {
  readonly #request: Framing;
  readonly #limits: HttpLimits;
  /** Once there is a connection to the server. */
  forth: BodyFlow | undefined;
  /** Once there is an answer. */
  back: BodyFlow | undefined;

  /** `request`: of what goes to the server, as its head says. */
  constructor(request: Framing, limits: HttpLimits) {
    this.#request = request;
    this.#limits = limits;
  }

  /** What has come already goes there, and what comes next. */
  sendForth(line: Line, keeper: BodyKeeper | undefined): void {
    const framing = this.#request;
    if (this.forth) this.forth.repeat(line);
    else this.forth = new BodyFlow({ from: framing, to: framing, line }, this.#limits, keeper);
  }

  /** All of the request has come. */
  get isForthDone(): boolean {
    return this.forth?.isDone ?? isEmpty(this.#request);
  }

  sendBack(route: BodyRoute): void {
    this.back = new BodyFlow(route, this.#limits);
  }

  /** Whatever comes, until whoever sends it ends. */
  tunnel(line: Line | undefined, front: Line): void {
    const whole = { from: UNTIL_CLOSE, to: UNTIL_CLOSE };
    this.forth = new BodyFlow({ ...whole, line }, this.#limits);
    this.back = new BodyFlow({ ...whole, line: front }, this.#limits);
  }

  get areDone(): boolean {
    return this.forth?.isDone === true && this.back?.isDone === true;
  }

  /** Of content, so far. */
  get octets(): { readonly requestBytes: number; readonly responseBytes: number } {
    return { requestBytes: this.forth?.octets ?? 0, responseBytes: this.back?.octets ?? 0 };
  }

  /** Another number whenever something has. */
  get moved(): number {
    return (this.forth?.octets ?? 0) + (this.back?.octets ?? 0);
  }

  release(): void {
    this.forth?.release();
    this.back?.release();
  }
}
