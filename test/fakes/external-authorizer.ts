/**
 * An authorizer on the published protocol of Envoy's ext_authz (gRPC), deciding by rules of its own: whoever is on
 * its list of principals may, nobody else. Can be told to be slow, to fail, or to answer with nothing in it.
 */
import { createServer, type Http2Server } from "node:http2";
import type { Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  Authorization,
  type CheckRequest,
  type CheckResponse,
  CheckResponseSchema,
} from "../../core/wire/gen/envoy/service/auth/v3/external_auth_pb.ts";

export type Mood = "rules" | "silent" | "fails" | "empty" | "contradicts";

export class ExternalAuthorizer {
  /** Whom it lets pass. */
  readonly welcome = new Set<string>();
  /** What it was asked, in that order. */
  readonly questions: CheckRequest[] = [];
  mood: Mood = "rules";
  /** Connections to it, ever. */
  connections = 0;
  readonly #server: Http2Server;
  readonly #sockets = new Set<Socket>();
  readonly #hearing: (() => void)[] = [];

  constructor() {
    const adapter = connectNodeAdapter({
      routes: (router) =>
        router.service(Authorization, { check: (request) => this.#check(request) }),
      connect: false,
      grpcWeb: false,
    });
    this.#server = createServer(adapter);
  }

  /** Where connections are accepted by somebody else. */
  take(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => this.#sockets.delete(socket));
    this.#server.emit("connection", socket);
  }

  /** Resolves with the next question. */
  async asked(): Promise<void> {
    await new Promise<void>((resolve) => this.#hearing.push(resolve));
  }

  /** As a restart does: in the middle of whatever is asked. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #check(request: CheckRequest): Promise<CheckResponse> {
    this.questions.push(request);
    for (const resolve of this.#hearing.splice(0)) resolve();
    switch (this.mood) {
      case "rules":
        return this.#rule(request);
      case "silent":
        return new Promise(() => undefined);
      case "fails":
        throw new ConnectError("out of order", Code.Internal);
      case "empty":
        return create(CheckResponseSchema);
      case "contradicts":
        return create(CheckResponseSchema, {
          status: { code: 0 },
          httpResponse: { case: "deniedResponse", value: { body: "no" } },
        });
    }
  }

  #rule({ attributes }: CheckRequest): CheckResponse {
    const isWelcome = this.welcome.has(attributes?.source?.principal ?? "");
    // google.rpc.Code: OK, PERMISSION_DENIED.
    return create(CheckResponseSchema, { status: { code: isWelcome ? 0 : 7 } });
  }
}
