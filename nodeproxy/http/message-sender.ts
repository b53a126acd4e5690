/**
 * The half of a stream that we say: head, body, trailers. What is written goes out at once where nobody else waits, and
 * else waits here for its turn; what a stream may send at all its window says (RFC 9113 5.2, 6.9).
 */
import type { SendingStream } from "../http2/framed-stream.ts";
import { SlabQueue } from "../tcp/slab-queue.ts";
import type { FieldLines } from "./message.ts";
import type { SaidFields, SessionOutput } from "./session-output.ts";

export interface SenderOwner {
  /** So many octets of those that were written are on their way. */
  sent(octets: number): void;
  /** All was said. */
  nearEnded(): void;
}

export class MessageSender implements SendingStream {
  readonly #output: SessionOutput;
  readonly #owner: SenderOwner;
  /** 0: it waits for its place among those that the peer takes at once. */
  #id = 0;
  #window = 0;
  #pending: SlabQueue | undefined;
  /** Octets that were filled in and of which nobody was told yet. */
  #sent = 0;
  #state: "silent" | "open" | "ending" | "ended" = "silent";
  #last: FieldLines | undefined;
  #isQueued = false;

  constructor(output: SessionOutput, owner: SenderOwner) {
    this.#output = output;
    this.#owner = owner;
  }

  get id(): number {
    return this.#id;
  }

  get hasBegun(): boolean {
    return this.#state !== "silent";
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** Octets that wait for their turn. */
  get unsent(): number {
    return this.#pending?.bytes ?? 0;
  }

  begin(isLast: boolean): void {
    this.#state = isLast ? "ended" : "open";
  }

  /** It has its number. `window`: octets that the peer takes of it. */
  open(id: number, window: number): void {
    this.#id = id;
    this.#window = window;
  }

  /** Its head was said: what waited for that goes on. */
  goOn(): void {
    if (this.unsent > 0) this.#queue();
    else if (this.#state === "ending") this.#finish();
  }

  write(chunk: Buffer): void {
    const { length } = chunk;
    const isNow = this.#id > 0 && this.unsent === 0 && length <= this.#window;
    if (isNow && this.#output.sendNow(this.#id, chunk)) {
      this.#window -= length;
      this.#owner.sent(length);
      return;
    }
    this.#pending ??= new SlabQueue();
    this.#pending.push(chunk);
    this.#queue();
  }

  end(trailers: FieldLines | undefined): void {
    this.#state = "ending";
    this.#last = trailers;
    if (this.unsent === 0 && this.#id > 0) this.#finish();
  }

  /** What was not sent never will be. */
  drop(): void {
    this.#state = "ended";
    this.#pending?.clear();
  }

  /** False beyond `limit`. */
  widen(octets: number, limit: number): boolean {
    this.#window += octets;
    if (this.#window > limit) return false;
    if (this.unsent > 0) this.#queue();
    return true;
  }

  get sendable(): number {
    return Math.max(0, Math.min(this.unsent, this.#window));
  }

  unqueue(): void {
    this.#isQueued = false;
  }

  send(target: Buffer, at: number, length: number): boolean {
    this.#pending?.copyTo(target, at, length);
    this.#window -= length;
    this.#sent += length;
    if (this.unsent > 0 || this.#state !== "ending" || this.#last) return false;
    this.#state = "ended";
    return true;
  }

  takeDrain(): boolean {
    return this.#sent > 0;
  }

  drain(): void {
    const sent = this.#sent;
    this.#sent = 0;
    if (sent > 0) this.#owner.sent(sent);
    if (this.#state === "ending" && this.unsent === 0) this.#finish();
    else if (this.#state === "ended") this.#owner.nearEnded();
  }

  #queue(): void {
    if (this.#isQueued || this.#window <= 0 || this.#id === 0) return;
    this.#isQueued = true;
    this.#output.queueData(this);
  }

  #finish(): void {
    this.#state = "ended";
    if (this.#last) this.#output.sendFields(this.#id, trailersOf(this.#last));
    else this.#output.frames.end(this.#id);
    this.#owner.nearEnded();
  }
}

function trailersOf(fields: FieldLines): SaidFields {
  return { fields, isLast: true };
}
