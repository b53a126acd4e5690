/**
 * Performs kubelet's probes instead of passing the connection: kubelet's address proves nothing, so
 * whoever comes from it gets exactly what the pod declared, and no byte of theirs reaches the pod.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { Socket } from "node:net";
import type { Probe } from "../../core/model/enrolment.ts";
import { resetSide } from "../flow/side.ts";
import { performGrpcProbe } from "./grpc-probe.ts";
import { askHttp } from "./http-probe.ts";
import type { InboundPod } from "./inbound-pod.ts";
import { createThrowawayCertificate } from "./throwaway-certificate.ts";

export interface ProbeCall {
  readonly pod: InboundPod;
  readonly socket: Socket;
  /** The pod's address that was asked. */
  readonly address: string;
  /** Probes declared for the port, at least one. */
  readonly candidates: readonly Probe[];
}

export class ProbePerformer {
  readonly #http: Server;
  #https: HttpsServer | undefined;
  readonly #calls = new WeakMap<object, ProbeCall>();

  constructor() {
    this.#http = createServer((request, response) => this.#answer(request, response));
  }

  /** Owns the socket from here on. */
  perform(call: ProbeCall): void {
    const { socket, candidates } = call;
    const [first] = candidates;
    if (!first) {
      resetSide(socket);
      return;
    }
    // Kubelet closes after its one request; whoever lingers is not kubelet.
    socket.setTimeout(Math.max(...candidates.map(({ timeoutMs }) => timeoutMs)) + 1000, () => {
      socket.destroy();
    });
    const http = candidates.find((probe) => probe.kind === "http");
    if (http) {
      this.#calls.set(socket, call);
      const server = http.scheme === "HTTPS" ? this.#tls() : this.#http;
      server.emit("connection", socket);
      socket.resume();
    } else if (first.kind === "grpc") {
      performGrpcProbe(call, first);
    } else {
      performTcp(call, first.port);
    }
  }

  close(): void {
    this.#http.close();
    this.#https?.close();
  }

  #tls(): HttpsServer {
    // Kubelet does not verify the certificate of a probed pod.
    this.#https ??= createHttpsServer(createThrowawayCertificate(), (request, response) =>
      this.#answer(request, response),
    );
    return this.#https;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const call = this.#callOf(request.socket);
    const probe = call?.candidates.find(
      (candidate) =>
        candidate.kind === "http" && request.method === "GET" && request.url === candidate.path,
    );
    if (!call || probe?.kind !== "http") {
      request.socket.destroy();
      return;
    }
    response.setHeader("connection", "close");
    askHttp(call, probe, response);
  }

  #callOf(socket: object): ProbeCall | undefined {
    // Under HTTPS the request's socket is the TLS one; Node keeps the TCP socket beneath as `_parent`.
    const under = (socket as { readonly _parent?: object })._parent;
    return this.#calls.get(socket) ?? (under && this.#calls.get(under));
  }
}

function performTcp({ pod, socket, address }: ProbeCall, port: number): void {
  socket.on("error", () => socket.destroy());
  try {
    const fd = pod.openSocket(address.includes(":") ? 6 : 4, socket.remoteAddress ?? "");
    const app = new Socket({ fd });
    app.on("error", () => resetSide(socket));
    app.connect({ host: address, port }, () => {
      app.destroy();
      socket.destroy();
    });
  } catch {
    resetSide(socket);
  }
}
