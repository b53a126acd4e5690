/**
 * The one HTTP/2 connection to the application behind a caller's: opened when it is needed, and left for a new
 * one as soon as it takes no more streams. What runs over the old one goes on.
 */
import { type ClientHttp2Session, connect } from "node:http2";
import { resetSide, type Side } from "../flow/side.ts";
import type { HttpLimits } from "./http-limits.ts";
import { backSettings } from "./http2-settings.ts";
import { duplexOf } from "./side-duplex.ts";

/** Opens a connection to the pod; told once, never within the call, with a code where there is none. */
export type Dial = (onDone: (code?: string) => void) => Side;

const DIAL_TIMEOUT_MS = 10_000;

export class Http2Back {
  readonly #dial: Dial;
  readonly #limits: HttpLimits;
  #current: ClientHttp2Session | undefined;
  #opening: Promise<ClientHttp2Session | undefined> | undefined;
  readonly #sessions = new Set<ClientHttp2Session>();
  #isClosed = false;

  constructor(dial: Dial, limits: HttpLimits) {
    this.#dial = dial;
    this.#limits = limits;
  }

  /** Nothing where the application cannot be reached. Never rejects. */
  session(): ClientHttp2Session | Promise<ClientHttp2Session | undefined> {
    const current = this.#current;
    if (current && !current.closed && !current.destroyed) return current;
    this.#current = undefined;
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** No stream is wanted any more: whatever runs has been cancelled. */
  close(): void {
    this.#isClosed = true;
    for (const session of this.#sessions) session.close();
  }

  async #open(): Promise<ClientHttp2Session | undefined> {
    const side = await this.#connection();
    this.#opening = undefined;
    if (!side) return undefined;
    if (this.#isClosed) {
      resetSide(side);
      return undefined;
    }
    this.#current = this.#begin(side);
    return this.#current;
  }

  #connection(): Promise<Side | undefined> {
    const { promise, resolve } = Promise.withResolvers<Side | undefined>();
    const side = this.#dial((code) => {
      clearTimeout(timer);
      resolve(code === undefined ? side : undefined);
    });
    const timer = setTimeout(() => {
      resetSide(side);
      resolve(undefined);
    }, DIAL_TIMEOUT_MS);
    return promise;
  }

  #begin(side: Side): ClientHttp2Session {
    const stream = duplexOf(side);
    stream.on("error", ignore);
    const session = connect("http://app", {
      ...backSettings(this.#limits),
      createConnection: () => stream,
    });
    // Each stream is told too; without listeners an error would end the process.
    session.on("error", ignore);
    session.on("goaway", () => this.#forget(session));
    session.once("close", () => {
      this.#forget(session);
      this.#sessions.delete(session);
    });
    this.#sessions.add(session);
    return session;
  }

  #forget(session: ClientHttp2Session): void {
    if (this.#current === session) this.#current = undefined;
  }
}

function ignore(): void {}
