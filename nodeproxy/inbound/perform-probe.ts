/**
 * Performs kubelet's probes instead of passing the connection: kubelet's address proves nothing, so
 * whoever comes from it gets exactly what the pod declared, and no byte of theirs reaches the pod.
 *
 * One request a connection, bounded in time, bytes and number: others come from that address too.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as HttpsServer } from "node:https";
import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Probe } from "../../core/model/enrolment.ts";
import { resetSide } from "../flow/side.ts";
import { performGrpcProbe } from "./grpc-probe.ts";
import { askHttp, isSamePath } from "./http-probe.ts";
import type { InboundPod } from "./inbound-pod.ts";
import { nodeHttp, nodeHttps } from "./node-http.ts";
import { recogniseProbe, speaks } from "./recognise-probe.ts";
import { createThrowawayCertificate } from "./throwaway-certificate.ts";

export interface ProbeCall {
  readonly pod: InboundPod;
  readonly socket: Socket;
  /** The pod's address that was asked. */
  readonly address: string;
  /** Probes declared for the port, at least one. */
  readonly candidates: readonly Probe[];
  /** Not what was declared: ends the connection as if no probe were declared. */
  refuse(): void;
  /** The application did not take the probe or did not answer in time: ends the connection. */
  unanswered(): void;
}

/** Beyond the probe's own time. */
const GRACE_MS = 1000;
/** Connections of probes open to one pod; beyond, the oldest goes. Kubelet's end at once, so they are not it. */
const MAX_OPEN = 64;
const SERVER_LIMITS = { maxHeaderSize: 8192, insecureHTTPParser: false } as const;

export class ProbePerformer {
  #http: Server | undefined;
  #https: HttpsServer | undefined;
  readonly #calls = new WeakMap<object, ProbeCall>();
  readonly #open = new Map<string, Set<Socket>>();

  /** Owns the socket from here on. Its errors end with its close. */
  perform(call: ProbeCall): void {
    const { socket, candidates } = call;
    this.#bound(call);
    if (candidates.every(({ kind }) => kind === "tcp")) {
      performTcp(call);
      return;
    }
    let first: Buffer = Buffer.alloc(0);
    const take = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      first = Buffer.concat([first, chunk]);
      const protocol = recogniseProbe(first);
      if (!protocol) return;
      socket.off("readable", take);
      if (!candidates.some((probe) => speaks(probe, protocol))) {
        call.refuse();
        return;
      }
      socket.unshift(first);
      this.#hand(call, protocol);
    };
    socket.on("readable", take);
    socket.on("end", () => socket.end());
  }

  close(): void {
    this.#http?.close();
    this.#https?.close();
  }

  /** Whoever lingers is not kubelet. */
  #bound({ pod, socket, candidates }: ProbeCall): void {
    const open = this.#open.get(pod.uid) ?? new Set();
    this.#open.set(pod.uid, open.add(socket));
    const [oldest] = open;
    if (open.size > MAX_OPEN && oldest) {
      open.delete(oldest);
      resetSide(oldest);
    }
    const longestMs = Math.max(...candidates.map(({ timeoutMs }) => timeoutMs));
    const deadline = setTimeout(resetSide, longestMs + GRACE_MS, socket);
    socket.once("close", () => {
      clearTimeout(deadline);
      open.delete(socket);
      if (open.size === 0 && this.#open.get(pod.uid) === open) this.#open.delete(pod.uid);
    });
  }

  #hand(call: ProbeCall, protocol: "tls" | "grpc" | "http"): void {
    const { socket } = call;
    if (protocol === "grpc") {
      performGrpcProbe(call);
      return;
    }
    this.#calls.set(socket, call);
    const server = protocol === "tls" ? this.#tls() : this.#plain();
    server.emit("connection", socket);
    // It was accepted paused; the servers expect it to flow.
    process.nextTick(() => socket.resume());
  }

  #plain(): Server {
    if (this.#http) return this.#http;
    const server = nodeHttp().createServer(SERVER_LIMITS, (request, response) => {
      this.#answer(request, response);
    });
    server.on("clientError", (_error, socket) => this.#takeBack(socket)?.refuse());
    this.#http = server;
    return server;
  }

  #tls(): HttpsServer {
    if (this.#https) return this.#https;
    // Kubelet does not verify the certificate of a probed pod.
    const options = { ...SERVER_LIMITS, ...createThrowawayCertificate() };
    const server = nodeHttps().createServer(options, (request, response) => {
      this.#answer(request, response);
    });
    server.on("clientError", (_error, socket) => this.#takeBack(socket)?.refuse());
    server.on("tlsClientError", (_error, socket) => this.#takeBack(socket)?.refuse());
    this.#https = server;
    return server;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const call = this.#takeBack(request.socket);
    if (!call) {
      // A second request on the connection.
      request.socket.destroy();
      return;
    }
    const protocol = request.socket instanceof TLSSocket ? "tls" : "http";
    const probe = call.candidates.find(
      (candidate) =>
        candidate.kind === "http" &&
        speaks(candidate, protocol) &&
        request.method === "GET" &&
        isSamePath(request.url ?? "", candidate.path),
    );
    if (probe?.kind !== "http") {
      call.refuse();
      return;
    }
    response.setHeader("connection", "close");
    askHttp(call, probe, response);
  }

  #takeBack(socket: object): ProbeCall | undefined {
    // Under HTTPS the request's socket is the TLS one; Node keeps the TCP socket beneath as `_parent`.
    const { _parent: under } = socket as { readonly _parent?: object };
    for (const key of [socket, under]) {
      const call = key && this.#calls.get(key);
      if (call) this.#calls.delete(key);
      if (call) return call;
    }
    return undefined;
  }
}

/**
 * Kubelet only dials, and that its dial was taken tells that something listens: see `capture/rules.ts`.
 * The application sees a connection that ends at once, as without the mesh.
 */
function performTcp(call: ProbeCall): void {
  const { pod, socket, address, candidates } = call;
  const port = candidates[0]?.port ?? 0;
  try {
    const fd = pod.openSocket(address.includes(":") ? 6 : 4, socket.remoteAddress ?? "");
    const app = new Socket({ fd });
    app.on("error", () => call.unanswered());
    socket.once("close", () => app.destroy());
    app.connect({ host: address, port }, () => {
      app.destroy();
      socket.destroy();
    });
  } catch {
    call.unanswered();
  }
}
