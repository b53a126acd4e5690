/**
 * The end of a line between two processes of this node that looks for the other (`line-server.ts`).
 *
 * Connects again for as long as it lives, and says hello each time; the other then sends everything
 * again.
 */
import { connect, type Socket } from "node:net";
import { deserialize } from "node:v8";
import { backoffDelayMs } from "../../core/process/backoff.ts";
import type { Log } from "../../core/process/log.ts";
import { closeDescriptor } from "../sys/descriptor.ts";
import { receiveDescriptors } from "../sys/descriptor-message.ts";
import { connectUnix } from "../sys/unix-socket.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";
import type { AliveRequest } from "./messages.ts";

/** A look at a socket of this machine costs next to nothing, and connections may wait for the other's start. */
const BACKOFF = { minMs: 10, maxMs: 25 };
const MAX_FRAME_BYTES = 0xffff_ffff;
const OPENING_BRACE = "{".charCodeAt(0);

/** What its own side says by itself: that it is there, and that its event loop turns. */
type Own =
  | { readonly kind: "hello"; readonly pid: number; readonly version?: number }
  | { readonly kind: "alive" };

export interface LineClientOptions<In> {
  /** As in `openLineServer`. */
  readonly path: string;
  readonly log: Log;
  /** Said with the hello, where the other may be of another version of Weft. */
  readonly version?: number;
  /** Its kind is perhaps one of another version's. The descriptors are the callee's. */
  readonly onMessage: (message: In, descriptors: readonly number[]) => void;
}

export interface LineClient<Out> {
  /** Dropped while the other is away: it asks again. */
  readonly send: (message: Out) => void;
  readonly close: () => void;
}

export function openLineClient<Out, In extends { readonly kind: string }>(
  options: LineClientOptions<In>,
): LineClient<Out> {
  const line = new Line<Out, In>(options);
  line.connect();
  return {
    send: (message) => {
      line.send(message);
    },
    close: () => {
      line.close();
    },
  };
}

class Line<Out, In extends { readonly kind: string }> {
  readonly #options: LineClientOptions<In>;
  #socket: Socket | undefined;
  #descriptorFd: number | undefined;
  #attempt = 0;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: LineClientOptions<In>) {
    this.#options = options;
  }

  connect(): void {
    const reader = new FrameReader(MAX_FRAME_BYTES);
    const socket = connect(this.#options.path);
    this.#socket = socket;
    socket.on("connect", () => {
      try {
        this.#descriptorFd = connectUnix(`${this.#options.path}.fds`);
      } catch (error) {
        socket.destroy(error as Error);
        return;
      }
      this.#attempt = 0;
      const { version } = this.#options;
      this.send({ kind: "hello", pid: process.pid, ...(version === undefined ? {} : { version }) });
    });
    socket.on("data", (chunk: Buffer) => {
      reader.push(chunk);
      for (let frame = reader.next(); frame; frame = reader.next()) this.#take(frame);
    });
    socket.on("error", (error) => {
      this.#options.log.debug({ err: error }, "line not open");
    });
    socket.on("close", () => {
      this.#lose();
    });
  }

  send(message: Out | Own): void {
    if (this.#descriptorFd === undefined) return;
    const body = Buffer.from(JSON.stringify(message));
    this.#socket?.write(encodeFrame({ body, descriptorCount: 0 }));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    // What was said last still arrives.
    this.#socket?.end();
  }

  #take({ body, descriptorCount }: Frame): void {
    const descriptors = descriptorCount > 0 ? this.#receive(descriptorCount) : [];
    const message = decode(body) as In | AliveRequest;
    if (message.kind === "alive_request") this.send({ kind: "alive" });
    else if (descriptors) this.#options.onMessage(message as In, descriptors);
  }

  /** They were sent before the message, so they wait; if not, the two sockets are out of step. */
  #receive(count: number): readonly number[] | undefined {
    if (this.#descriptorFd === undefined) return undefined;
    const descriptors = receiveDescriptors(this.#descriptorFd, false)?.descriptors ?? [];
    if (descriptors.length === count) return descriptors;
    for (const fd of descriptors) closeDescriptor(fd);
    this.#options.log.error({ expected: count, got: descriptors.length }, "descriptors missing");
    this.#socket?.destroy();
    return undefined;
  }

  #lose(): void {
    if (this.#descriptorFd !== undefined) closeDescriptor(this.#descriptorFd);
    this.#descriptorFd = undefined;
    this.#socket = undefined;
    if (this.#isClosed) return;
    const delayMs = backoffDelayMs(BACKOFF, this.#attempt, Math.random());
    this.#attempt += 1;
    this.#retry = setTimeout(() => {
      this.connect();
    }, delayMs);
  }
}

/** Node's serialization begins with 0xff. */
function decode(body: Buffer): unknown {
  return body[0] === OPENING_BRACE ? JSON.parse(body.toString("utf8")) : deserialize(body);
}
