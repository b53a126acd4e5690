/**
 * The operator's gRPC server: TLS 1.3, one service, every call authenticated before it is read.
 *
 * Lives from `openNodeServer()` to `close()`. Knows neither Kubernetes nor the CA; its own
 * certificate is handed in and may be exchanged at any time without touching open connections.
 */
import { constants } from "node:crypto";
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import {
  type ConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { DEFAULT_KEEP_ALIVE, type KeepAlive, keepAlive } from "../../core/process/keep-alive.ts";
import type { Log } from "../../core/process/log.ts";
import { NodeService } from "../../core/wire/gen/weft/v1/node_pb.ts";
import {
  type Authenticate,
  type Authenticated,
  type NodePeer,
  refusalOfCaller,
} from "./authenticate.ts";
import { type Certifier, MAX_CERTIFY_BYTES } from "./certify.ts";
import type { ConfigStreams } from "./config-streams.ts";
import { watchUnread } from "./unread-call.ts";

const MAX_MESSAGE_BYTES = 4_194_304;
const MAX_CONNECTIONS = 16_384;
/** One configuration stream and a burst of certificates. */
const MAX_STREAMS_A_CONNECTION = 100;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Of a connection without any stream. */
const IDLE_TIMEOUT_MS = 120_000;

export interface ServerIdentity {
  /** PEM, leaf first. */
  readonly chainPem: string;
  readonly keyPem: string;
}

export interface NodeServerOptions {
  /** Port 0: the kernel chooses. Without a host: every address. */
  readonly listen: { readonly host?: string; readonly port: number };
  readonly identity: ServerIdentity;
  readonly authenticate: Authenticate;
  readonly streams: ConfigStreams;
  readonly certifier: Certifier;
  readonly log: Log;
  readonly keepAlive?: KeepAlive;
}

export interface NodeServer {
  readonly port: number;
  /** New connections get this certificate. */
  useIdentity(identity: ServerIdentity): void;
  /** Ends every stream, waits for what is under way, at most `drainMs`. */
  close(drainMs: number): Promise<void>;
}

type Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

interface Caller {
  readonly caller: Authenticated;
  readonly address: string;
}

const callerKey = createContextKey<Caller>({
  caller: { kind: "refused", reason: "no_token" },
  address: "",
});

export async function openNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();
  const server = createSecureServer(
    {
      ...secureContext(options.identity),
      ALPNProtocols: ["h2"],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      settings: { maxConcurrentStreams: MAX_STREAMS_A_CONNECTION, enablePush: false },
    },
    createListener(options),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    const pace = options.keepAlive ?? DEFAULT_KEEP_ALIVE;
    keepAlive(session, pace, () => session.destroy());
    closeIdle(session, pace.intervalMs);
  });
  // A failed handshake ends its own connection only; Node destroys the socket itself.
  server.on("tlsClientError", (error) => options.log.debug({ err: error.message }, "no TLS"));
  server.on("sessionError", (error) => options.log.debug({ err: error.message }, "session failed"));
  await listen(server, options.listen);
  // server.address() is an AddressInfo for every server that listens on a port.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    useIdentity: (identity) => server.setSecureContext(secureContext(identity)),
    close: async (drainMs) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
        // One whose peer went in the middle of a GOAWAY has no session any more, and waits for a FIN that never comes.
        for (const socket of sockets) socket.destroy();
      }, drainMs);
      await options.streams.close();
      // GOAWAY: no new streams, and the connection ends with its last one.
      for (const session of sessions) session.close();
      await closed;
      clearTimeout(timer);
    },
  };
}

function secureContext({ chainPem, keyPem }: ServerIdentity) {
  return {
    cert: chainPem,
    key: keyPem,
    minVersion: "TLSv1.3",
    // Resumption would skip a look at the certificate that has just been exchanged.
    secureOptions: constants.SSL_OP_NO_TICKET,
  } as const;
}

function createListener({ authenticate, streams, certifier, log }: NodeServerOptions): Listener {
  const identified = new WeakMap<object, Caller>();
  const read = new WeakSet<Caller>();
  const handle = connectNodeAdapter({
    grpcWeb: false,
    connect: false,
    // A compressed message may be much larger than what was sent.
    acceptCompression: [],
    readMaxBytes: MAX_MESSAGE_BYTES,
    contextValues: (request) => {
      const caller = identified.get(request);
      const values = createContextValues();
      return caller ? values.set(callerKey, caller) : values;
    },
    routes: (router: ConnectRouter) => {
      router.rpc(NodeService.method.configure, (requests, context) =>
        streams.carry(peerOf(context), requests, context.signal),
      );
      router.rpc(
        NodeService.method.certify,
        (request, { values, signal }) => {
          const caller = values.get(callerKey);
          read.add(caller);
          return certifier.certify({ ...caller, request, signal });
        },
        { readMaxBytes: MAX_CERTIFY_BYTES },
      );
    },
  });

  async function carry(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    try {
      const address = request.stream.session?.socket.remoteAddress ?? "";
      const caller = { caller: await authenticate(request.headers), address };
      identified.set(request, caller);
      watchUnread(request, response, {
        isRead: () => read.has(caller),
        onUnread: (unread) => certifier.refuseUnread(caller, unread),
      });
      handle(request, response);
    } catch (error) {
      log.error({ err: error }, "call failed before it was carried");
      response.stream.destroy();
    }
  }
  return (request, response) => void carry(request, response);
}

function peerOf({ values }: HandlerContext): NodePeer {
  const { caller } = values.get(callerKey);
  if (caller.kind === "node") return caller;
  throw refusalOfCaller(caller);
}

function listen(server: Http2SecureServer, at: NodeServerOptions["listen"]): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(at, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Closes a connection on which nobody has asked anything for long. */
function closeIdle(session: ServerHttp2Session, intervalMs: number): void {
  let streams = 0;
  let idleSince = performance.now();
  session.on("stream", (stream) => {
    streams += 1;
    stream.once("close", () => {
      streams -= 1;
      idleSince = performance.now();
    });
  });
  const interval = setInterval(() => {
    if (streams === 0 && performance.now() - idleSince > IDLE_TIMEOUT_MS) session.close();
  }, intervalMs);
  session.once("close", () => clearInterval(interval));
}
