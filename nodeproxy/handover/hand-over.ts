/**
 * Letting a successor become the node's proxy: gives it every pod, then the run directory, and stops accepting once
 * it serves them. Open connections stay here until they end.
 *
 * Serves one successor and is over then, however that ended; while it is there, others are sent away.
 */
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Log } from "../../core/process/log.ts";
import type { KeptPod } from "../channel/kept-descriptors.ts";
import { type LineServer, openLineServer } from "../channel/line-server.ts";
import { closeDescriptor } from "../sys/descriptor.ts";
import {
  encodeToSuccessor,
  type FromSuccessor,
  parseFromSuccessor,
  type ToSuccessor,
} from "./messages.ts";

export interface HandOverOptions {
  /** Of the line; its directory is this process's alone. */
  readonly linePath: string;
  readonly log: Log;
  /** Stops looking after pods and writing to the run directory; what it gives is closed here. */
  readonly give: () => Promise<readonly KeptPod[]>;
  /** Descriptor of the run directory's lock, which goes over with the pods; its own is the caller's. */
  readonly lock: () => number;
  /** The successor has them: the run directory is its own from here on. */
  readonly onReceived: () => void;
  /** The successor's traffic process accepts. */
  readonly onTakenOver: () => void;
  /** It has gone before that. */
  readonly onGivenBack: () => void;
}

export interface HandOver {
  /** Once what was begun to be given has been. */
  close(): Promise<void>;
}

/** Resolves once a successor may ask. */
export async function openHandOver(options: HandOverOptions): Promise<HandOver> {
  const handing = new Handing(options);
  const line = await openLineServer<ToSuccessor, FromSuccessor>({
    path: options.linePath,
    log: options.log,
    mayEnter: () => handing.isFree,
    parse: parseFromSuccessor,
    encode: (message) => encodeToSuccessor(message, handing.version),
    onMessage: (message) => handing.hear(message),
    onConnected: () => handing.begin(line),
    onDisconnected: () => handing.lost(),
  });
  return {
    close: async () => {
      await handing.close();
      await line.close();
      rmSync(dirname(options.linePath), { recursive: true, force: true });
    },
  };
}

class Handing {
  readonly #options: HandOverOptions;
  #phase: "owning" | "giving" | "given" | "over" = "owning";
  #giving: Promise<void> = Promise.resolve();
  #version = 0;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  get isFree(): boolean {
    return this.#phase === "owning";
  }

  /** The successor's. */
  get version(): number {
    return this.#version;
  }

  begin(line: LineServer<ToSuccessor>): void {
    if (this.#phase !== "owning") return;
    this.#phase = "giving";
    const { version } = this;
    this.#options.log.info({ version }, "handing over to the next node proxy");
    this.#giving = this.#give(line);
  }

  hear(message: FromSuccessor): void {
    if (message.kind === "hello") this.#version = message.version;
    if (this.#phase !== "given") return;
    if (message.kind === "received") this.#options.onReceived();
    if (message.kind !== "taken_over") return;
    this.#phase = "over";
    this.#options.log.info("the next node proxy has taken over");
    this.#options.onTakenOver();
  }

  /** While it is being given the end of giving tells. */
  lost(): void {
    if (this.#phase !== "given") return;
    this.#phase = "over";
    this.#options.log.warn("the next node proxy has gone before it served");
    this.#options.onGivenBack();
  }

  async close(): Promise<void> {
    await this.#giving;
    this.#phase = "over";
  }

  async #give(line: LineServer<ToSuccessor>): Promise<void> {
    const pods = await this.#options.give();
    this.#phase = "given";
    for (const { descriptors, ...pod } of pods) {
      line.send({ kind: "pod", pod }, descriptors);
      for (const fd of descriptors) closeDescriptor(fd);
    }
    if (!line.send({ kind: "handed_over", pods: pods.length }, [this.#options.lock()])) this.lost();
  }
}
