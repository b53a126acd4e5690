import { once } from "node:events";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { RateLimitServiceSettings } from "../../core/model/mesh-settings.ts";
import {
  RateLimitResponse_Code as Code,
  RateLimitResponseSchema,
} from "../../core/wire/gen/envoy/service/ratelimit/v3/rls_pb.ts";
import { MAX_QUESTIONS, RateService } from "./rate-service.ts";

const LIMITS = [{ name: "a", entries: [["k", "v"]] }] as const;
const SERVICE: RateLimitServiceSettings = {
  service: "shop/ratelimit",
  port: 8081,
  timeoutMs: 60_000,
  failOpen: false,
  domain: "weft",
};
/** For questions that are never answered. */
const SHORT = { timeoutMs: 50 };

let settings: RateLimitServiceSettings | undefined;
let service: RateService;
let server: Server;
let answers: (stream: ServerHttp2Stream) => void;
const opened = new Set<Socket>();
/** Ports that were connected to. */
let connected: number[];
const grpc = createHttp2Server();
grpc.on("stream", (stream: ServerHttp2Stream) => {
  stream.on("error", () => undefined);
  stream.resume();
  answers(stream);
});
grpc.on("session", (session) => session.on("error", () => undefined));

beforeEach(async () => {
  settings = SERVICE;
  connected = [];
  answers = (stream) => say(stream, Code.OK);
  server = createServer((socket) => {
    opened.add(socket.on("error", () => undefined));
    grpc.emit("connection", socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  service = new RateService({
    settings: () => settings,
    open: async (to) => {
      connected.push(to.port);
      const { port } = server.address() as { readonly port: number };
      const socket = connect({
        port: to.port === 1 ? 1 : port,
        host: "127.0.0.1",
        allowHalfOpen: true,
      });
      opened.add(socket.on("error", () => undefined));
      await once(socket, "connect");
      return socket;
    },
  });
});

afterEach(async () => {
  service.close();
  for (const socket of opened) socket.destroy();
  opened.clear();
  await once(server.close(), "close");
});

function say(stream: ServerHttp2Stream, overallCode: Code): void {
  const message = toBinary(
    RateLimitResponseSchema,
    create(RateLimitResponseSchema, { overallCode }),
  );
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(frame);
}

async function said(part: Partial<RateLimitServiceSettings> = {}): Promise<string> {
  settings = { ...SERVICE, ...part };
  const { isRefused, said: answer } = await service.ask(LIMITS);
  return `${isRefused ? "refused" : "passes"}: ${answer}`;
}

test("ask(): passes what the service permits and refuses what it does not, also where it fails open; over one connection", async () => {
  expect(await said()).toBe("passes: permitted");
  answers = (stream) => say(stream, Code.OVER_LIMIT);
  expect(await said({ failOpen: true })).toBe("refused: denied");
  const many = await Promise.all(Array.from({ length: 20 }, async () => said()));
  expect(new Set(many)).toEqual(new Set(["refused: denied"]));
  expect(connected).toEqual([8081]);
});

for (const [failOpen, word] of [
  [false, "refused"],
  [true, "passes"],
] as const) {
  test(`ask(): with failOpen ${failOpen}, what cannot be counted ${word}, with the reason`, async () => {
    answers = (stream) =>
      stream.respond(
        { ":status": 200, "content-type": "application/grpc", "grpc-status": "14" },
        { endStream: true },
      );
    expect(await said({ failOpen })).toBe(`${word}: failed`);
    answers = (stream) => say(stream, Code.UNKNOWN);
    expect(await said({ failOpen })).toBe(`${word}: failed`);
    answers = () => undefined;
    expect(await said({ failOpen, ...SHORT })).toBe(`${word}: timeout`);
    expect(await said({ failOpen, port: 1 })).toBe(`${word}: unreachable`);
    answers = (stream) => say(stream, Code.OK);
    expect(await said({ failOpen })).toBe("passes: permitted");
  });
}

test("ask(): without a service in MeshConfig nothing is counted, and everything passes", async () => {
  settings = undefined;
  expect(await service.ask(LIMITS)).toEqual({
    kind: "uncounted",
    said: "unknown",
    isRefused: false,
  });
  expect(connected).toEqual([]);
});

test("ask(): beyond so many questions at once it asks no more, and asks again when those have ended", async () => {
  const held: ServerHttp2Stream[] = [];
  const { promise: first, resolve } = Promise.withResolvers<void>();
  answers = (stream) => {
    held.push(stream);
    resolve();
  };
  const waiting = Array.from({ length: MAX_QUESTIONS }, async () => said());
  await first;
  expect(await said()).toBe("refused: busy");
  expect(await said({ failOpen: true })).toBe("passes: busy");
  answers = (stream) => say(stream, Code.OK);
  for (const stream of held) say(stream, Code.OK);
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(["passes: permitted"]));
  expect(await said()).toBe("passes: permitted");
});

test("ask(): another Service or port is another connection, another timeout or domain is not", async () => {
  await said();
  await said({ timeoutMs: 90_000, domain: "other", failOpen: true });
  expect(connected).toEqual([8081]);
  await said({ port: 8082 });
  await said({ service: "shop/other" });
  expect(connected).toEqual([8081, 8082, 8081]);
});

test("ask(): the first question after the service's restart is answered over a new connection", async () => {
  expect(await said()).toBe("passes: permitted");
  for (const socket of opened) socket.destroy();
  expect(await said()).toBe("passes: permitted");
  expect(connected).toEqual([8081, 8081]);
});

test("close(): ends what is asked, and nobody is asked any more", async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  answers = () => resolve();
  const waiting = said();
  await asked;
  service.close();
  expect(await waiting).toBe("refused: unreachable");
  expect(await said()).toBe("refused: unreachable");
  expect(connected).toEqual([8081]);
});
