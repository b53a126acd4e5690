/**
 * The traffic process's end of the line to control.
 *
 * Connects again for as long as it lives, and says hello each time; control then sends everything
 * again. While control is away the traffic process goes on with what it has.
 */
import { connect, type Socket } from "node:net";
import { deserialize } from "node:v8";
import { backoffDelayMs } from "../../core/process/backoff.ts";
import type { Log } from "../../core/process/log.ts";
import { closeDescriptor } from "../sys/descriptor.ts";
import { receiveDescriptors } from "../sys/descriptor-message.ts";
import { connectUnix } from "../sys/unix-socket.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";
import type { AliveRequest, FromTraffic, ToTraffic } from "./messages.ts";

const BACKOFF = { minMs: 20, maxMs: 500 };
const MAX_FRAME_BYTES = 0xffff_ffff;

export interface TrafficLineOptions {
  /** As in `createControlLine`. */
  readonly path: string;
  readonly log: Log;
  /** The descriptors are the callee's. After each hello pods come again that are known already: compare, and close the new ones. */
  readonly onMessage: (message: ToTraffic, descriptors: readonly number[]) => void;
}

export interface TrafficLine {
  /** Dropped while control is away: it asks again. */
  readonly send: (message: FromTraffic) => void;
  readonly close: () => void;
}

export function createTrafficLine(options: TrafficLineOptions): TrafficLine {
  const line = new Line(options);
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

class Line {
  readonly #options: TrafficLineOptions;
  #socket: Socket | undefined;
  #descriptorFd: number | undefined;
  #attempt = 0;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: TrafficLineOptions) {
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
      this.send({ kind: "hello", pid: process.pid });
    });
    socket.on("data", (chunk: Buffer) => {
      reader.push(chunk);
      for (let frame = reader.next(); frame; frame = reader.next()) this.#take(frame);
    });
    socket.on("error", (error) => {
      this.#options.log.debug({ err: error }, "line to control not open");
    });
    socket.on("close", () => {
      this.#lose();
    });
  }

  send(message: FromTraffic): void {
    if (this.#descriptorFd === undefined) return;
    const body = Buffer.from(JSON.stringify(message));
    this.#socket?.write(encodeFrame({ body, descriptorCount: 0 }));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
  }

  #take({ body, descriptorCount }: Frame): void {
    const descriptors = descriptorCount > 0 ? this.#receive(descriptorCount) : [];
    const message = deserialize(body) as ToTraffic | AliveRequest;
    if (message.kind === "alive_request") this.send({ kind: "alive" });
    else if (descriptors) this.#options.onMessage(message, descriptors);
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
