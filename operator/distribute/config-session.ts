/**
 * One node's configuration stream: what it says upwards moves this, and what it is sent is pulled
 * from `responses`. At most one batch is under way; everything later waits in `PendingChanges`.
 *
 * Knows nothing of HTTP, TLS or tokens. A node that breaks the protocol ends its own stream only.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { NodeReport } from "../../core/model/node-report.ts";
import type { Changes, ResourceKind } from "../../core/model/resource.ts";
import type { RefusedResource } from "../../core/wire/decode-changes.ts";
import { decodeReport } from "../../core/wire/decode-report.ts";
import { enumKeyOf, enumKeys, RESOURCE_KINDS } from "../../core/wire/enum-table.ts";
import type * as wire from "../../core/wire/gen/weft/v1/node_pb.ts";
import { PulledStream } from "../../core/wire/pulled-stream.ts";
import { type Held, PendingChanges, type Refusal } from "./pending-changes.ts";
import { MAX_RESOURCE_BYTES, sizeOfResource, splitBatch } from "./split-batch.ts";

/** A node that reads but does not answer for so long is stuck; a new stream may help it. */
const ANSWER_TIMEOUT_MS = 60_000;
/** On the slowest line: a part is handed to it whole, and a batch that is sent anew for ever is never read. */
const BYTES_A_MS = 5;
const MAX_HELD = 1_000_000;
const MAX_SUBSCRIBED_NAMES = 10_000;
const MAX_NAME_LENGTH = 512;

/** What a node now holds: whole, replaces what was told before. `held` is a live view by `resourceKey`. */
export interface Applied {
  readonly held: ReadonlyMap<string, Held>;
  /** What it would not take, and what it holds and could not read whole: of that, `held` has a version with `UNREAD`. */
  readonly refused: readonly Refusal[];
  /** Reasons of a batch that was refused without naming a resource of it; [] after the next applied one. */
  readonly errors: readonly string[];
}

export type BatchStep = "sent" | "applied" | "rejected";

export interface ConfigSessionOptions {
  readonly node: string;
  /** The first call of `onChange` delivers everything as upserts. Returns how to stop. */
  readonly watch: (onChange: (changes: Changes) => void) => () => void;
  readonly onApplied: (applied: Applied) => void;
  readonly onReport: (report: NodeReport) => void;
  readonly onReportRefused: (reasons: readonly string[]) => void;
  readonly onBatch: (step: BatchStep) => void;
}

export class ConfigSession {
  readonly responses: PulledStream<wire.ConfigureResponse>;
  readonly #options: ConfigSessionOptions;
  readonly #pending = new PendingChanges();
  #stage: "hello" | "waiting" | "streaming" | "closed" = "hello";
  #stopWatching: (() => void) | undefined;
  #parts: wire.ConfigureResponse[] = [];
  #nonce = 0n;
  /** A batch is sent or being sent, and not answered. */
  #isUnderWay = false;
  #isFirst = true;
  #answerTimeoutMs = ANSWER_TIMEOUT_MS;
  #errors: readonly string[] = [];
  #kinds: readonly ResourceKind[] = [];
  #answerTimer: NodeJS.Timeout | undefined;

  constructor(options: ConfigSessionOptions) {
    this.#options = options;
    this.responses = new PulledStream(() => this.#take());
  }

  /** Throws a ConnectError where the node breaks the protocol. */
  receive({ message }: wire.ConfigureRequest): void {
    if (this.#stage === "closed") return;
    if (message.case === "hello") {
      this.#hello(message.value);
      return;
    }
    if (this.#stage === "hello") throw broken("the first message is not a Hello");
    switch (message.case) {
      case "subscription":
        this.#subscription(message.value);
        break;
      case "acknowledgement":
        this.#acknowledgement(message.value);
        break;
      case "report":
        this.#report(message.value);
        break;
      case undefined:
        throw broken("a message of no known kind");
    }
  }

  /** Ends the stream; with an error the node is told that. */
  close(error?: ConnectError): void {
    this.#stage = "closed";
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    clearTimeout(this.#answerTimer);
    this.responses.end(error);
  }

  #hello(hello: wire.Hello): void {
    if (this.#stage !== "hello") throw broken("a second Hello");
    for (const { kind, name, version } of hello.held) {
      const ref = { kind: knownKind(kind), name: checkedName(name) };
      this.#pending.hold({ ...ref, version: checkedName(version) });
    }
    if (this.#pending.held.size > MAX_HELD) throw broken("too many resources held");
    // Kinds of a newer node are none of ours; without any, it wants every kind there is.
    const kinds = hello.kinds.flatMap((kind) => enumKeyOf(RESOURCE_KINDS, kind) ?? []);
    if (hello.kinds.length > 0) this.#kinds = kinds;
    if (hello.more) return;
    const subscribed = this.#kinds.length > 0 ? this.#kinds : enumKeys(RESOURCE_KINDS);
    for (const kind of subscribed) this.#pending.subscribeAll(kind);
    this.#stage = "waiting";
    this.#tellApplied();
    this.#stopWatching = this.#options.watch((changes) => this.#change(changes));
  }

  #change(changes: Changes): void {
    if (this.#stage === "closed" || this.#stage === "hello") return;
    // Nothing goes out before everything is known: what is missing would look removed.
    this.#stage = "streaming";
    this.#pending.change(changes);
    this.responses.wake();
  }

  #subscription({ kind, subscribe, unsubscribe }: wire.Subscription): void {
    const known = knownKind(kind);
    for (const name of unsubscribe) {
      if (name === "*") this.#pending.unsubscribeAll(known);
      else this.#pending.unsubscribe({ kind: known, name: checkedName(name) });
    }
    for (const name of subscribe) {
      if (name === "*") this.#pending.subscribeAll(known);
      else this.#pending.subscribe({ kind: known, name: checkedName(name) });
    }
    if (this.#pending.subscribedNames() > MAX_SUBSCRIBED_NAMES) {
      throw broken("too many names subscribed");
    }
    this.responses.wake();
  }

  #acknowledgement({ nonce, errors, unread }: wire.Acknowledgement): void {
    if (!this.#isUnderWay || this.#parts.length > 0 || nonce !== this.#nonce) {
      throw broken("an answer to no batch");
    }
    clearTimeout(this.#answerTimer);
    this.#isUnderWay = false;
    this.#options.onBatch(errors.length === 0 ? "applied" : "rejected");
    if (errors.length === 0) {
      this.#pending.applied(unread.map(refusedResource));
      this.#errors = [];
    } else {
      const isNamed = this.#pending.rejected(errors.map(refusedResource));
      this.#errors = isNamed ? [] : errors.slice(0, 10).map(({ reason }) => reason.slice(0, 500));
    }
    this.#tellApplied();
    this.responses.wake();
  }

  #report(message: wire.Report): void {
    const decoded = decodeReport(this.#options.node, message);
    if (decoded.kind === "decoded") this.#options.onReport(decoded.value);
    // A newer node may report what this version does not know; its configuration goes on.
    else this.#options.onReportRefused(decoded.reasons);
  }

  #tellApplied(): void {
    const { held, refused } = this.#pending;
    this.#options.onApplied({ held, refused, errors: this.#errors });
  }

  #take(): wire.ConfigureResponse | undefined {
    if (this.#stage !== "streaming") return undefined;
    if (this.#parts.length === 0 && !this.#isUnderWay) this.#startBatch();
    const part = this.#parts.shift();
    if (part !== undefined && !part.more) this.#awaitAnswer();
    return part;
  }

  #startBatch(): void {
    let batch = this.#pending.next();
    const tooLarge = batch.upserts.filter((one) => sizeOfResource(one) > MAX_RESOURCE_BYTES);
    if (tooLarge.length > 0) {
      this.#pending.rejected(
        tooLarge.map(({ name, body }) => ({ kind: body.kind, name, reason: "too large to send" })),
      );
      this.#tellApplied();
      batch = this.#pending.next();
    }
    // The first batch goes out even if empty: it tells the node that it is up to date.
    const isEmpty = batch.upserts.length + batch.removals.length === 0;
    if (isEmpty && !this.#isFirst) return;
    this.#isFirst = false;
    this.#isUnderWay = true;
    this.#options.onBatch("sent");
    this.#nonce += 1n;
    this.#parts = splitBatch(this.#nonce, batch);
    const bytes = batch.upserts.reduce((sum, one) => sum + sizeOfResource(one), 0);
    this.#answerTimeoutMs = ANSWER_TIMEOUT_MS + bytes / BYTES_A_MS;
  }

  #awaitAnswer(): void {
    this.#answerTimer = setTimeout(() => {
      const message = "no answer to a batch in time";
      this.close(new ConnectError(message, Code.DeadlineExceeded));
    }, this.#answerTimeoutMs);
  }
}

function refusedResource({ kind, name, reason }: wire.ResourceError): RefusedResource {
  return { kind: enumKeyOf(RESOURCE_KINDS, kind), name, reason };
}

function broken(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}

function knownKind(kind: wire.ResourceKind): ResourceKind {
  const known = enumKeyOf(RESOURCE_KINDS, kind);
  if (known === undefined) throw broken(`resource kind ${kind} is not known`);
  return known;
}

function checkedName(name: string): string {
  if (name === "" || name.length > MAX_NAME_LENGTH) throw broken("not a name");
  return name;
}
