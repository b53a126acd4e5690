/**
 * An API server that lists node proxies and forwards to their ports over WebSockets, as kubelet's
 * `v4.channel.k8s.io` does: the first byte of a message is its channel, 0 data and 1 errors, and each channel
 * begins with the port, two bytes, little-endian.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

const FORWARD = /^\/api\/v1\/namespaces\/weft-system\/pods\/([^/]+)\/portforward\?ports=15000$/;
const PODS = "/api/v1/namespaces/weft-system/pods";
// RFC 6455 1.3.
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface ForwardedPod {
  readonly pod: string;
  readonly node: string;
  readonly createdAt: string;
  /** On loopback, in place of 15000 in the pod. 0: nothing listens. */
  readonly port: number;
}

export class ForwardingApiServer {
  pods: readonly ForwardedPod[] = [];
  /** Answers every port-forward with it instead. */
  refusal = 0;
  /** Items by path; of other paths there are none. */
  lists: ReadonlyMap<string, readonly object[]> = new Map();
  readonly #server: Server = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    const items = path === PODS ? this.pods.map(podObject) : this.lists.get(path);
    response.writeHead(items ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify({ items }));
  });
  readonly #sockets = new Set<Duplex>();

  async start(): Promise<void> {
    this.#server.on("upgrade", (request, socket) => this.#upgrade(request, socket));
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  kubeconfig(): string {
    const { port } = this.#server.address() as AddressInfo;
    return JSON.stringify({
      clusters: [
        {
          name: "c",
          cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true },
        },
      ],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on("error", ignore);
    const name = FORWARD.exec(request.url ?? "")?.[1];
    const pod = this.pods.find((each) => each.pod === name);
    if (!pod || this.refusal !== 0) {
      socket.end(`HTTP/1.1 ${pod ? this.refusal : 404} no\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const key = request.headers["sec-websocket-key"] ?? "";
    const accept = createHash("sha1").update(`${key}${GUID}`).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\nsec-websocket-protocol: v4.channel.k8s.io\r\n\r\n`,
    );
    send(socket, 0, Buffer.from([0x98, 0x3a]));
    send(socket, 1, Buffer.from([0x98, 0x3a]));
    if (pod.port === 0) send(socket, 1, Buffer.from("nothing listens on 15000"));
    else this.#forward(socket, connect(pod.port, "127.0.0.1"));
  }

  #forward(socket: Duplex, target: Socket): void {
    this.#sockets.add(target);
    target.on("error", ignore);
    target.on("data", (chunk: Buffer) => send(socket, 0, chunk));
    target.on("end", () => socket.end(Buffer.from([0x88, 0])));
    let waiting = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      for (let frame = takeFrame(waiting); frame; frame = takeFrame(waiting)) {
        waiting = waiting.subarray(frame.length);
        if (frame.opcode === 8) target.end();
        else target.write(frame.payload.subarray(1));
      }
    });
    socket.on("close", () => target.destroy());
  }
}

interface Frame {
  readonly opcode: number;
  /** Unmasked. */
  readonly payload: Buffer;
  /** Of the whole frame. */
  readonly length: number;
}

/** RFC 6455 5.2; clients mask. `undefined` while it is not whole. */
function takeFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] ?? 0) & 0x7f;
  const header = short === 126 ? 4 : 2;
  if (short === 127) throw new Error("a question of more than 64 KiB");
  if (bytes.length < header + 4) return undefined;
  const size = short === 126 ? bytes.readUInt16BE(2) : short;
  const length = header + 4 + size;
  if (bytes.length < length) return undefined;
  const mask = bytes.subarray(header, header + 4);
  const payload = Buffer.from(bytes.subarray(header + 4, length)).map(
    (byte, i) => byte ^ (mask[i % 4] ?? 0),
  );
  return { opcode: (bytes[0] ?? 0) & 0x0f, payload: Buffer.from(payload), length };
}

/** One binary message, not masked. */
function send(socket: Duplex, channel: number, data: Buffer): void {
  const size = data.length + 1;
  const head = Buffer.alloc(size < 126 ? 2 : 10);
  head[0] = 0x82;
  head[1] = size < 126 ? size : 127;
  if (size >= 126) head.writeBigUInt64BE(BigInt(size), 2);
  socket.write(Buffer.concat([head, Buffer.from([channel]), data]));
}

function podObject({ pod, node, createdAt }: ForwardedPod): object {
  return {
    metadata: {
      name: pod,
      namespace: "weft-system",
      labels: { app: "weft-node-proxy" },
      creationTimestamp: createdAt,
    },
    spec: { nodeName: node },
    status: { phase: "Running" },
  };
}

function ignore(): void {}
