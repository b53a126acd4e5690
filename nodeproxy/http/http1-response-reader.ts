/** Reads the heads that answer one request: 1xx as many as may come, then the response's. */
import type { HttpLimits } from "./http-limits.ts";
import { HeadReader } from "./http1-head-reader.ts";
import { type Response, readResponse } from "./http1-response.ts";
import type { RequestHead } from "./message.ts";

/** Of one exchange: who announces a response for ever is not heard for ever. */
const MAX_INTERIM = 32;

export class ResponseReader {
  readonly #asked: RequestHead;
  readonly #heads: HeadReader;
  #interims = 0;

  constructor(asked: RequestHead, limits: HttpLimits) {
    this.#asked = asked;
    this.#heads = new HeadReader("response", limits);
  }

  /** Some of a head has come, and not all. */
  get isWithin(): boolean {
    return this.#heads.isWithin;
  }

  /** How many octets belong to the head. */
  read(chunk: Buffer): number {
    return this.#heads.read(chunk);
  }

  /** A head that is whole; `invalid` for what is none, or none that answers this request. */
  take(): Response | "invalid" | undefined {
    const head = this.#heads.takeHead();
    if (!head) return this.#heads.failure ? "invalid" : undefined;
    const response = readResponse(head, this.#asked.method);
    return response && this.#isAcceptable(response) ? response : "invalid";
  }

  /** Forgets what it has read. */
  release(): void {
    this.#heads.release();
  }

  #isAcceptable({ head, upgrade }: Response): boolean {
    const { upgrade: asked } = this.#asked;
    if (head.status === 101) return asked !== "" && upgrade === asked;
    if (head.status >= 200) return true;
    this.#interims += 1;
    return this.#interims <= MAX_INTERIM;
  }
}
