/**
 * Asks one service over gRPC: many questions at once over one connection, which is opened when it is needed
 * and left for a new one, and with it maybe another endpoint, as soon as a question over it gets no answer.
 */
import { type ClientHttp2Session, connect } from "node:http2";
import type { Side } from "../flow/side.ts";
import { duplexOf } from "../http/side-duplex.ts";
import { AskError } from "./ask-error.ts";
import { callUnary, type UnaryCall } from "./call-unary.ts";

const IDLE_MS = 60_000;

export class UnaryCaller {
  readonly #url: string;
  readonly #open: () => Promise<Side>;
  #session: Promise<ClientHttp2Session> | undefined;
  #isClosed = false;

  /** `open` connects to one of its endpoints; rejects where none can be reached. */
  constructor(authority: string, open: () => Promise<Side>) {
    this.#url = `http://${authority}`;
    this.#open = open;
  }

  /** Rejects with `AskError`. */
  async call(asked: UnaryCall, signal: AbortSignal): Promise<Uint8Array> {
    const known = this.#session;
    try {
      return await this.#ask(asked, signal);
    } catch (error) {
      // A service that restarts ends connections in the middle of questions.
      if (!known || !isLost(error) || signal.aborted) throw error;
    }
    return this.#ask(asked, signal);
  }

  /** Ends what is asked now. */
  close(): void {
    this.#isClosed = true;
    void this.#session?.then((session) => session.destroy(), ignore);
    this.#session = undefined;
  }

  async #ask(asked: UnaryCall, signal: AbortSignal): Promise<Uint8Array> {
    const opening = this.#current();
    const session = await unlessAborted(opening, signal);
    try {
      return await callUnary(session, asked, signal);
    } catch (error) {
      if (!(error instanceof AskError) || error.reason !== "failed") {
        this.#forget(opening);
        // In order: other questions over it may still be answered.
        session.close();
      }
      throw error;
    }
  }

  #current(): Promise<ClientHttp2Session> {
    if (this.#isClosed) return Promise.reject(new AskError("unreachable"));
    if (this.#session) return this.#session;
    const opening = this.#begin(() => this.#forget(opening));
    this.#session = opening;
    opening.catch(() => this.#forget(opening));
    return opening;
  }

  async #begin(onEnd: () => void): Promise<ClientHttp2Session> {
    const stream = await this.#connection();
    const session = connect(this.#url, { createConnection: () => stream });
    // The reason is told to each question; without listeners an error would end the process.
    session.on("error", ignore);
    session.on("close", onEnd);
    session.on("goaway", onEnd);
    session.setTimeout(IDLE_MS, () => session.close());
    return session;
  }

  async #connection(): Promise<ReturnType<typeof duplexOf>> {
    try {
      const stream = duplexOf(await this.#open(), { endsAtOnce: true });
      stream.on("error", ignore);
      if (!this.#isClosed) return stream;
      stream.destroy();
    } catch (error) {
      throw new AskError("unreachable", { cause: error });
    }
    throw new AskError("unreachable");
  }

  #forget(opening: Promise<ClientHttp2Session>): void {
    if (this.#session === opening) this.#session = undefined;
  }
}

function isLost(error: unknown): boolean {
  return error instanceof AskError && error.reason === "unreachable";
}

/** Rejects as soon as the signal is aborted, whatever becomes of the promise. */
function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    function giveUp(): void {
      reject(new AskError("timeout"));
    }
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    promise.then(resolve, reject);
  });
}

function ignore(): void {}
