/** What one pod keeps open to HTTP ports of Services: made with its first call to one, so that no HTTP is loaded before. */
import type { EndpointRef } from "./endpoint-ref.ts";
import type { Http1Pool } from "./http1-pool.ts";
import type { Http2Pool } from "./http2-pool.ts";

interface Pools {
  readonly http1: Http1Pool;
  readonly http2: Http2Pool;
}

export class LatePools {
  #made: Pools | undefined;
  #isClosed = false;

  /** Before anybody uses them; once is enough. */
  make(create: () => Pools): void {
    this.#made ??= create();
    if (this.#isClosed) this.close();
  }

  get http1(): Http1Pool {
    return this.#pools().http1;
  }

  get http2(): Http2Pool {
    return this.#pools().http2;
  }

  /** Ends what goes to endpoints that are gone; what carries a request ends with that. */
  retain(isThere: (ref: EndpointRef) => boolean): void {
    this.#made?.http1.retain(isThere);
    this.#made?.http2.retain(isThere);
  }

  /** What carries a request ends with that. */
  close(): void {
    this.#isClosed = true;
    this.#made?.http1.close();
    this.#made?.http2.close();
  }

  #pools(): Pools {
    if (!this.#made) throw new Error("a request before there was a call to an HTTP port");
    return this.#made;
  }
}
