/**
 * The end of a line between two processes of this node that waits for the other: messages over a stream socket,
 * descriptors over a SEQPACKET socket beside it. Knows no message but its own two, hello and alive.
 *
 * Descriptors go out before their message, so the reader finds them waiting. Nothing is kept for a
 * process that is not there: when one says hello, the owner sends everything again. One that
 * hangs is ended, so that its keeper starts another.
 */
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { serialize } from "node:v8";
import type { Log } from "../../core/process/log.ts";
import { closeDescriptor, duplicateDescriptor } from "../sys/descriptor.ts";
import { sendDescriptors } from "../sys/descriptor-message.ts";
import { SysError } from "../sys/libc.ts";
import { acceptUnix, listenUnix, peerProcessId } from "../sys/unix-socket.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { AliveRequest } from "./messages.ts";

const MAX_FRAME_BYTES = 64 << 20;
/** How soon to try again where the descriptor socket is full. */
const RETRY_MS = 5;

/** The far side begins with `hello`, and answers `alive_request` with `alive`. */
interface Incoming {
  readonly kind: string;
}

export interface LineServerOptions<In extends Incoming> {
  /** Of the stream socket, in a directory of its own; the descriptors' is `PATH.fds`. */
  readonly path: string;
  /** Group the other process runs as; where absent only the own user may connect. */
  readonly group?: number;
  readonly log: Log;
  /** Where false, whoever says hello is sent away, and comes again. Else who comes replaces who is there. */
  readonly mayEnter?: () => boolean;
  /** `undefined` for what the other may not say. */
  readonly parse: (body: Buffer) => In | undefined;
  /** As the other reads it; Node's serialization where absent. Called after its hello was given to `onMessage`. */
  readonly encode?: (message: object) => Buffer;
  readonly onMessage: (message: In) => void;
  /** The other is there and knows nothing yet. Comes after its `hello` was given to `onMessage`. */
  readonly onConnected: () => void;
  readonly onDisconnected?: () => void;
}

export interface LineServer<Out> {
  /** False where nobody is there: the other will ask for everything when it comes. Descriptors stay the caller's. */
  readonly send: (message: Out, descriptors?: readonly number[]) => boolean;
  /** Resolves once nobody is at the other end. */
  readonly disconnected: () => Promise<void>;
  readonly close: () => Promise<void>;
}

interface Outgoing<Out> {
  readonly message: Out | AliveRequest;
  readonly descriptors: readonly number[];
}

interface Connected {
  readonly socket: Socket;
  readonly descriptorFd: number;
  readonly heartbeat: Heartbeat;
}

/** Resolves once both sockets listen. */
export async function openLineServer<Out extends object, In extends Incoming>(
  options: LineServerOptions<In>,
): Promise<LineServer<Out>> {
  prepareDirectory(options);
  const descriptorListener = listenUnix(`${options.path}.fds`);
  const line = new Line<Out, In>(options, descriptorListener);
  const server = createServer((socket) => {
    line.greet(socket);
  });
  await listen(server, options.path);
  for (const path of [options.path, `${options.path}.fds`]) permit(path, options.group, 0o6);
  return {
    send: (message, descriptors = []) => line.send({ message, descriptors }),
    disconnected: async () => line.disconnected(),
    close: async () => {
      line.close();
      closeDescriptor(descriptorListener);
      await new Promise<void>((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
      rmSync(`${options.path}.fds`, { force: true });
    },
  };
}

/** Which connection is the other process's, and what still has to go out on it. */
class Line<Out extends object, In extends Incoming> {
  readonly #options: LineServerOptions<In>;
  readonly #descriptorListener: number;
  readonly #sockets = new Set<Socket>();
  readonly #outbox: Outgoing<Out>[] = [];
  #current: Connected | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: LineServerOptions<In>, descriptorListener: number) {
    this.#options = options;
    this.#descriptorListener = descriptorListener;
  }

  greet(socket: Socket): void {
    const reader = new FrameReader(MAX_FRAME_BYTES);
    this.#sockets.add(socket);
    socket.on("data", (chunk: Buffer) => {
      reader.push(chunk);
      try {
        for (let frame = reader.next(); frame; frame = reader.next())
          this.#take(socket, frame.body);
      } catch (error) {
        this.#options.log.error({ err: error, path: this.#options.path }, "line broken");
        socket.destroy();
      }
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (this.#current?.socket === socket) this.#drop();
    });
  }

  send(outgoing: Outgoing<Out>): boolean {
    if (!this.#current) return false;
    // The caller may close its own before a full socket has room again.
    const descriptors = outgoing.descriptors.map(duplicateDescriptor);
    this.#outbox.push({ message: outgoing.message, descriptors });
    this.#flush();
    return true;
  }

  async disconnected(): Promise<void> {
    if (this.#current) await once(this.#current.socket, "close");
  }

  close(): void {
    this.#drop();
    for (const socket of this.#sockets) socket.destroy();
  }

  #take(socket: Socket, body: Buffer): void {
    const message = this.#options.parse(body);
    if (!message) {
      this.#options.log.warn({ bytes: body.length, path: this.#options.path }, "message refused");
      return;
    }
    if (message.kind === "hello") {
      if (this.#options.mayEnter?.() === false) {
        socket.destroy();
        return;
      }
      this.#admit(socket);
    }
    if (this.#current?.socket !== socket) return;
    this.#current.heartbeat.answered();
    if (message.kind === "alive") return;
    this.#options.onMessage(message);
    if (message.kind === "hello") this.#options.onConnected();
  }

  /** The descriptor connection was made before the hello was sent, so it waits in the queue. */
  #admit(socket: Socket): void {
    const pid = peerProcessId(descriptorOf(socket));
    for (;;) {
      const fd = acceptUnix(this.#descriptorListener);
      if (fd === undefined) throw new Error("hello without a connection for descriptors");
      if (peerProcessId(fd) === pid) {
        this.#drop();
        const heartbeat = new Heartbeat({
          ask: () => this.send({ message: { kind: "alive_request" }, descriptors: [] }),
          onSilent: (unanswered) => this.#end(pid, unanswered),
        });
        this.#current = { socket, descriptorFd: fd, heartbeat };
        return;
      }
      // Of a process that died between its two connections.
      closeDescriptor(fd);
    }
  }

  /** While its connection is open the number is its own; 0 where the kernel knows none here, which kill(2) would take for a group. */
  #end(pid: number, unanswered: number): void {
    this.#options.log.error({ pid, unanswered }, "the process at the other end hangs, ending it");
    if (pid <= 1) return;
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      this.#options.log.error({ err: error, pid }, "it cannot be ended");
    }
  }

  #flush(): void {
    while (this.#current && this.#outbox[0]) {
      const { message, descriptors } = this.#outbox[0];
      if (descriptors.length > 0 && !this.#sendBeside(this.#current.descriptorFd, descriptors)) {
        this.#retry ??= setTimeout(() => {
          this.#retry = undefined;
          this.#flush();
        }, RETRY_MS);
        return;
      }
      const body = this.#options.encode?.(message) ?? serialize(message);
      this.#current.socket.write(encodeFrame({ body, descriptorCount: descriptors.length }));
      for (const fd of descriptors) closeDescriptor(fd);
      this.#outbox.shift();
    }
  }

  #sendBeside(fd: number, descriptors: readonly number[]): boolean {
    try {
      sendDescriptors(fd, { payload: Buffer.from("weft"), descriptors });
      return true;
    } catch (error) {
      if (error instanceof SysError && error.code === "EAGAIN") return false;
      // The stream's close tells the rest.
      if (error instanceof SysError && error.code === "EPIPE") return true;
      throw error;
    }
  }

  #drop(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    for (const { descriptors } of this.#outbox.splice(0)) descriptors.forEach(closeDescriptor);
    if (!this.#current) return;
    const { socket, descriptorFd, heartbeat } = this.#current;
    this.#current = undefined;
    heartbeat.stop();
    closeDescriptor(descriptorFd);
    socket.destroy();
    this.#options.onDisconnected?.();
  }
}

/** Sockets of a run before are removed; the directory is the group's to enter and nobody's else. */
function prepareDirectory({
  path,
  group,
}: Pick<LineServerOptions<Incoming>, "path" | "group">): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  permit(directory, group, 0o5);
  rmSync(path, { force: true });
  rmSync(`${path}.fds`, { force: true });
}

function permit(path: string, group: number | undefined, groupRights: number): void {
  if (group !== undefined) chownSync(path, -1, group);
  chmodSync(path, group === undefined ? 0o700 : 0o700 | (groupRights << 3));
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Node gives the descriptor of a socket only here; nodejs/node#8974 keeps it. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}
