/** gRPC as its own clients and servers speak it, through the engine: all four kinds, deadlines, cancelling, refusals. */

import { once } from "node:events";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, expect, test } from "@jest/globals";
import { type EngineOptions, Http2Engine } from "../../test/fakes/http2-engine.ts";
import { until } from "../../test/world/until.ts";

interface Note {
  readonly text: string;
}

interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly headers?: Record<string, string>;
  readonly onTrailer?: (trailer: Headers) => void;
}

interface Echo {
  one(note: Note, options?: CallOptions): Promise<Note>;
  up(notes: AsyncIterable<Note>, options?: CallOptions): Promise<Note>;
  down(note: Note, options?: CallOptions): AsyncIterable<Note>;
  both(notes: AsyncIterable<Note>, options?: CallOptions): AsyncIterable<Note>;
}

function method(name: string, clientStreaming: boolean, serverStreaming: boolean) {
  const type = ".weft.test.Note";
  return { name, inputType: type, outputType: type, clientStreaming, serverStreaming };
}

/** Four methods of one message, made here: there is no such service in our own files. */
function echoService(): DescService {
  const text = {
    name: "text",
    jsonName: "text",
    number: 1,
    type: FieldDescriptorProto_Type.STRING,
    label: FieldDescriptorProto_Label.OPTIONAL,
  };
  const file = create(FileDescriptorProtoSchema, {
    name: "echo.proto",
    package: "weft.test",
    syntax: "proto3",
    messageType: [{ name: "Note", field: [text] }],
    service: [
      {
        name: "Echo",
        method: [
          method("One", false, false),
          method("Up", true, false),
          method("Down", false, true),
          method("Both", true, true),
        ],
      },
    ],
  });
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
  const service = registry.getService("weft.test.Echo");
  if (!service) throw new Error("the service is not in its own file");
  return service;
}

const SERVICE = echoService();
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** What a server heard of calls that never end by themselves. */
class Server implements Echo {
  readonly aborted = Promise.withResolvers<string>();

  async one(note: Note, context?: unknown): Promise<Note> {
    const { signal, responseTrailer } = context as HandlerContext;
    if (note.text === "fail") throw new ConnectError("no \u00fcber note", Code.NotFound);
    responseTrailer.set("x-trailer", "of one");
    if (note.text === "hang") {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      this.aborted.resolve(String(signal.reason));
      throw new ConnectError("nobody waits", Code.Canceled);
    }
    return { text: `one ${note.text}` };
  }

  async up(notes: AsyncIterable<Note>): Promise<Note> {
    const texts: string[] = [];
    for await (const { text } of notes) texts.push(text);
    return { text: texts.join(" ") };
  }

  async *down(note: Note, context?: unknown): AsyncIterable<Note> {
    const { signal } = context as HandlerContext;
    for (let i = 0; i < 3; i += 1) yield { text: `${note.text} ${i}` };
    if (note.text !== "hang") return;
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    this.aborted.resolve(String(signal.reason));
  }

  async *both(notes: AsyncIterable<Note>): AsyncIterable<Note> {
    for await (const { text } of notes) yield { text: `echo ${text}` };
  }
}

async function listen(server: Http2Server): Promise<number> {
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanups.push(async () => {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

async function world(options: Partial<EngineOptions> = {}) {
  const handlers = new Server();
  const adapter = connectNodeAdapter({
    connect: false,
    grpcWeb: false,
    routes: (router) =>
      void router.service(SERVICE, {
        one: (note: unknown, context: unknown) => handlers.one(note as Note, context),
        up: (notes: unknown) => handlers.up(notes as AsyncIterable<Note>),
        down: (note: unknown, context: unknown) => handlers.down(note as Note, context),
        both: (notes: unknown) => handlers.both(notes as AsyncIterable<Note>),
      } as unknown as Parameters<typeof router.service>[1]),
  });
  const appPort = await listen(createServer(adapter));
  const engine = await new Http2Engine({ appPort, ...options }).start();
  cleanups.push(() => engine.close());
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${engine.port}` });
  const client = createClient(SERVICE, transport) as unknown as Echo;
  return { client, engine, handlers };
}

async function* notes(...texts: readonly string[]): AsyncIterable<Note> {
  for (const text of texts) yield { text };
}

async function textsOf(answers: AsyncIterable<Note>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of answers) texts.push(text);
  return texts;
}

async function codeOf(call: Promise<unknown>): Promise<[Code, string] | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    return [code, rawMessage];
  }
}

test("serveHttp2(): gRPC: all four kinds, with trailers", async () => {
  const { client, engine } = await world();
  let trailer: string | null = "";
  function onTrailer(got: Headers): void {
    trailer = got.get("x-trailer");
  }
  expect(await client.one({ text: "a" }, { onTrailer })).toMatchObject({ text: "one a" });
  expect(trailer).toBe("of one");
  expect(await client.up(notes("a", "b", "c"))).toMatchObject({ text: "a b c" });
  expect(await textsOf(client.down({ text: "d" }))).toEqual(["d 0", "d 1", "d 2"]);
  expect(await textsOf(client.both(notes("x", "y")))).toEqual(["echo x", "echo y"]);
  expect(engine.dials).toBe(1);
  expect(engine.heads.map(({ path }) => path)).toEqual(
    ["One", "Up", "Down", "Both"].map((name) => `/weft.test.Echo/${name}`),
  );
});

test("serveHttp2(): gRPC: a stream both ways goes on note by note, none waits for the end of the other side", async () => {
  const { client } = await world();
  const heard: string[] = [];
  let next = Promise.withResolvers<void>();
  async function* talk(): AsyncIterable<Note> {
    for (let i = 0; i < 5; i += 1) {
      next = Promise.withResolvers<void>();
      yield { text: `${i}` };
      await next.promise;
    }
  }
  for await (const { text } of client.both(talk())) {
    heard.push(text);
    next.resolve();
  }
  expect(heard).toEqual(["echo 0", "echo 1", "echo 2", "echo 3", "echo 4"]);
});

test("serveHttp2(): gRPC: an application's status and message arrive as they are, and are told", async () => {
  const { client, engine } = await world();
  expect(await codeOf(client.one({ text: "fail" }))).toEqual([Code.NotFound, "no \u00fcber note"]);
  await client.one({ text: "good" });
  const told = await until("both outcomes", () => engine.outcomes[1] && engine.outcomes);
  expect(told.map(({ grpcStatus }) => grpcStatus)).toEqual([Code.NotFound, 0]);
});

test("serveHttp2(): gRPC: a deadline reaches the application, and ends the call on both sides", async () => {
  const { client, engine, handlers } = await world();
  const [code] = (await codeOf(client.one({ text: "hang" }, { timeoutMs: 2_000 }))) ?? [];
  expect(code).toBe(Code.DeadlineExceeded);
  expect(await handlers.aborted.promise).toMatch(/deadline|timed out|cancel/i);
  expect(engine.heads[0]?.fields).toContain("grpc-timeout");
});

test("serveHttp2(): gRPC: a call that is cancelled in its answer is cancelled at the application", async () => {
  const { client, handlers } = await world();
  const abort = new AbortController();
  const heard: string[] = [];
  const call = (async () => {
    for await (const { text } of client.down({ text: "hang" }, { signal: abort.signal })) {
      heard.push(text);
      if (heard.length === 3) abort.abort();
    }
  })();
  expect((await codeOf(call))?.[0]).toBe(Code.Canceled);
  await handlers.aborted.promise;
  expect(heard).toEqual(["hang 0", "hang 1", "hang 2"]);
});

test.each([
  [403, Code.PermissionDenied],
  [401, Code.Unauthenticated],
  [503, Code.Unavailable],
  [400, Code.Internal],
])(
  "serveHttp2(): gRPC: a refusal with %i is read as status %i, with its words",
  async (status, code) => {
    const { client, engine } = await world({
      gate: () => ({
        kind: "refuse",
        status,
        reason: "denied",
        body: "RBAC: 100 % no",
        fields: [],
      }),
    });
    expect(await codeOf(client.one({ text: "a" }))).toEqual([code, "RBAC: 100 % no"]);
    expect(await codeOf(client.up(notes("a", "b")))).toEqual([code, "RBAC: 100 % no"]);
    expect(await codeOf(textsOf(client.both(notes("a"))))).toEqual([code, "RBAC: 100 % no"]);
    expect(engine.dials).toBe(0);
  },
);

test("serveHttp2(): gRPC: a call that a policy comes to forbid ends with PERMISSION_DENIED", async () => {
  const { client, engine } = await world();
  const heard: string[] = [];
  const call = (async () => {
    for await (const { text } of client.down({ text: "hang" })) {
      heard.push(text);
      if (heard.length === 3) for (const end of engine.held) end();
    }
  })();
  expect((await codeOf(call))?.[0]).toBe(Code.PermissionDenied);
  expect(engine.outcomes).toMatchObject([
    { code: "policy_changed", grpcStatus: Code.PermissionDenied },
  ]);
});
