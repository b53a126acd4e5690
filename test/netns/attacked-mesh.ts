/** A pod that serves HTTP/1.1 and HTTP/2 behind two node proxies, and a caller of the mesh that attacks it by requests. Not a test itself. */
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { A } from "../policy-language.ts";
import { AttackedServer } from "./attacked-server.ts";
import { ask, type RawAnswer, type RawRequest, requestText } from "./http-requests.ts";
import { startFromPod } from "./pod-network.ts";
import { createPolicyMesh, type Manifest, type PolicyMesh } from "./policy-mesh.ts";

const HTTP1_PORT = 8080;
const HTTP2_PORT = 80;

export interface AttackedMesh extends AsyncDisposable {
  readonly world: PolicyMesh;
  readonly server: AttackedServer;
  /** Headers of the requests that came over HTTP/2, oldest first. */
  readonly streams: readonly IncomingHttpHeaders[];
  /** These objects rule from now on, and nothing has come yet. */
  rule(...objects: readonly Manifest[]): void;
  send(request: RawRequest): Promise<RawAnswer>;
  /** Text as it stands. */
  sendText(text: string): Promise<RawAnswer>;
  /** `403 denied_by_policy`; `200` and the target that has reached the application, which for what is refused is none. */
  verdict(request: RawRequest): Promise<string>;
  /** A connection to the port that is HTTP/2. */
  dial2(): Socket;
}

export async function createAttackedMesh(prefix: string): Promise<AttackedMesh> {
  const server = new AttackedServer();
  const streams: IncomingHttpHeaders[] = [];
  const http2 = createServer();
  http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    streams.push(headers);
    stream.on("error", () => undefined);
    stream.respond({ ":status": 200 }, { endStream: true });
  });
  const world = await createPolicyMesh(prefix, {
    protocols: { [HTTP2_PORT]: "kubernetes.io/h2c", [HTTP1_PORT]: "http" },
    serve: (socket) => {
      if (socket.localPort === HTTP2_PORT) http2.emit("connection", socket);
      else server.take(socket);
    },
  });
  world.become(A);
  const { a, b } = world.mesh.network;
  async function sendText(text: string): Promise<RawAnswer> {
    return ask(startFromPod(a, b.v4, HTTP1_PORT), text);
  }
  async function send(request: RawRequest): Promise<RawAnswer> {
    return sendText(requestText(request));
  }
  return {
    world,
    server,
    streams,
    rule(...objects) {
      world.rule(objects);
      server.clear();
      streams.length = 0;
    },
    send,
    sendText,
    async verdict(request) {
      server.clear();
      const { status, reason } = await send(request);
      const reached = server.heads.length === 0 ? "" : server.targets.join(" and ") || "nonsense";
      return [`${status}`, reason, reached].filter((text) => text !== "").join(" ");
    },
    dial2: () => startFromPod(a, b.v4, HTTP2_PORT),
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
    },
  };
}

export function policyOf(action: string, ...rules: readonly object[]): Manifest {
  return {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: `p-${action.toLowerCase()}`, namespace: "shop" },
    spec: { action, rules },
  };
}

export function to(operation: object): object {
  return { to: [{ operation }] };
}

export function when(key: string, condition: object): object {
  return { when: [{ key, ...condition }] };
}
