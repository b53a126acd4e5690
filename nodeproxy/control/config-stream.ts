/**
 * The node proxy's side of the configuration stream: keeps one open, for ever, and applies what comes.
 *
 * Last known good (invariant 2): without the operator nothing here is taken away, the stream only
 * tries again. A batch is applied whole or answered with reasons; nothing half read reaches `apply`.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import type { NodeReport } from "../../core/model/node-report.ts";
import type { Changes } from "../../core/model/resource.ts";
import { type Backoff, backoffDelayMs } from "../../core/process/backoff.ts";
import type { Log } from "../../core/process/log.ts";
import { decodeChanges, type RefusedResource } from "../../core/wire/decode-changes.ts";
import type { ConfigureResponse } from "../../core/wire/gen/weft/v1/node_pb.ts";
import type { HeldVersion } from "./held-resources.ts";
import {
  type OperatorConnection,
  type OperatorLineOptions,
  openOperatorLine,
} from "./operator-line.ts";
import { type BatchAnswer, Upward } from "./upward.ts";

const DEFAULT_BACKOFF: Backoff = { minMs: 100, maxMs: 5_000 };
/** Parts of one batch, a mebibyte each: more than any mesh has. */
const MAX_PARTS = 1_024;

export type AppliedChanges =
  | { readonly kind: "applied" }
  | { readonly kind: "rejected"; readonly errors: readonly RefusedResource[] };

/** `synced`: the operator has sent all it has, and it is applied or answered. */
export type ConfigStreamState = "disconnected" | "connected" | "synced" | "closed";

export interface ConfigStreamOptions {
  readonly line: OperatorLineOptions;
  /** Of this program. */
  readonly version: string;
  readonly held: () => readonly HeldVersion[];
  readonly apply: (changes: Changes) => AppliedChanges | Promise<AppliedChanges>;
  readonly onState?: (state: ConfigStreamState) => void;
  readonly log: Log;
  readonly backoff?: Backoff;
}

export class ConfigStream {
  readonly #options: ConfigStreamOptions;
  readonly #stop = new AbortController();
  #state: ConfigStreamState = "disconnected";
  #upward: Upward | undefined;
  #report: NodeReport | undefined;
  #running: Promise<void> | undefined;
  /** Of the log: one line when it breaks, not one for each attempt. */
  #lastFailure = "";

  constructor(options: ConfigStreamOptions) {
    this.#options = options;
  }

  get state(): ConfigStreamState {
    return this.#state;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Whole; replaces the one before, and is told again on every new stream. */
  report(report: NodeReport): void {
    this.#report = report;
    this.#upward?.report(report);
  }

  /** A new stream tells no report before the next: another node proxy speaks for the node. */
  withdrawReport(): void {
    this.#report = undefined;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#setState("closed");
  }

  async #run(): Promise<void> {
    const { backoff = DEFAULT_BACKOFF } = this.#options;
    const { signal } = this.#stop;
    let attempt = 0;
    while (!signal.aborted) {
      const wasUseful = await this.#connectOnce();
      attempt = wasUseful ? 0 : attempt + 1;
      // Rejects only when stopped, which ends the loop.
      await delay(backoffDelayMs(backoff, attempt, Math.random()), undefined, { signal }).catch(
        () => undefined,
      );
    }
  }

  /** True if the stream brought anything before it ended. */
  async #connectOnce(): Promise<boolean> {
    const { line, log } = this.#options;
    let connection: OperatorConnection | undefined;
    let wasUseful = false;
    try {
      connection = await openOperatorLine(line, this.#stop.signal);
      for await (const parts of this.#batches(connection)) {
        wasUseful = true;
        await this.#applyBatch(parts);
      }
      log.info("operator ended the configuration stream");
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#logFailure(error);
    } finally {
      this.#upward?.messages.end();
      this.#upward = undefined;
      connection?.close();
      this.#setState("disconnected");
    }
    return wasUseful;
  }

  async *#batches(connection: OperatorConnection): AsyncGenerator<ConfigureResponse[]> {
    const { version, held } = this.#options;
    const upward = new Upward(version, held());
    if (this.#report) upward.report(this.#report);
    this.#upward = upward;
    const headers = await connection.headers();
    const { signal } = this.#stop;
    let parts: ConfigureResponse[] = [];
    for await (const part of connection.client.configure(upward.messages, { headers, signal })) {
      if (this.#state === "disconnected") this.#setState("connected");
      if (parts.length >= MAX_PARTS || (parts[0] ?? part).nonce !== part.nonce) {
        throw new ConnectError("parts of a batch do not belong together", Code.DataLoss);
      }
      parts.push(part);
      if (part.more) continue;
      yield parts;
      parts = [];
    }
  }

  async #applyBatch(parts: readonly ConfigureResponse[]): Promise<void> {
    const answer = await this.#answerTo(parts);
    const errors = answer.errors.slice(0, 10);
    if (errors.length > 0) this.#options.log.warn({ errors }, "configuration refused");
    this.#upward?.acknowledge(parts[0]?.nonce ?? 0n, answer);
    this.#lastFailure = "";
    this.#setState("synced");
  }

  async #answerTo(parts: readonly ConfigureResponse[]): Promise<BatchAnswer> {
    const decoded = decodeChanges(parts);
    if (decoded.kind === "refused") return { errors: decoded.errors, unread: [] };
    const { unread } = decoded;
    if (unread.length > 0) {
      const policies = unread.slice(0, 10);
      this.#options.log.warn({ policies }, "policies that this version cannot read fail closed");
    }
    const applied = await this.#options.apply(decoded.value);
    if (applied.kind === "rejected") return { errors: applied.errors, unread: [] };
    return { errors: [], unread };
  }

  #logFailure(error: unknown): void {
    const message = Error.isError(error) ? error.message : String(error);
    if (message === this.#lastFailure) return;
    this.#lastFailure = message;
    this.#options.log.warn({ err: message }, "configuration stream broke, trying again");
  }

  #setState(state: ConfigStreamState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState?.(state);
  }
}
