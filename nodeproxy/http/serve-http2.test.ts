import { constants, type ServerHttp2Stream } from "node:http2";
import { createServer } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import {
  answerOf,
  ask,
  type EngineOptions,
  Http2Engine,
  openClient,
  startHttp2App,
} from "../../test/fakes/http2-engine.ts";
import type { GateAnswer } from "./message.ts";

const { NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM, NGHTTP2_INTERNAL_ERROR } = constants;

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

type App = (stream: ServerHttp2Stream, fields: Record<string, unknown>) => void;

async function world(app: App, options: Partial<EngineOptions> = {}) {
  const served = await startHttp2App(app);
  cleanups.push(() => served.close());
  const engine = await new Http2Engine({ appPort: served.port, ...options }).start();
  cleanups.push(() => engine.close());
  const client = await openClient(engine.port);
  cleanups.push(() => client.destroy());
  return { engine, client, app: served };
}

/** Answers what it got, and says in fields how it got it. */
function echo(stream: ServerHttp2Stream, fields: Record<string, unknown>): void {
  let trailers: Record<string, unknown> = {};
  stream.on("trailers", (got) => {
    trailers = got;
  });
  const seen = JSON.stringify(fields);
  stream.respond({ ":status": 200, "x-seen": seen }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-trailers": JSON.stringify(trailers) }));
  stream.pipe(stream);
}

function once<Value>() {
  return Promise.withResolvers<Value>();
}

test("serveHttp2(): a request, its fields, its body and its trailers both ways", async () => {
  const { client, engine } = await world(echo);
  const stream = client.request(
    {
      ":method": "POST",
      ":path": "/a/b?c",
      ":authority": "shop.example",
      cookie: ["a=1", "b=2"],
      te: "trailers",
      "x-two": ["1", "2"],
    },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "7", authorization: "none" }));
  stream.end("hello");
  const { status, body, fields, trailers } = await answerOf(stream);
  expect([status, body]).toEqual([200, "hello"]);
  expect(JSON.parse(String(fields["x-seen"]))).toEqual({
    ":method": "POST",
    ":scheme": "http",
    ":authority": "shop.example",
    ":path": "/a/b?c",
    cookie: "a=1; b=2",
    te: "trailers",
    "x-two": "1, 2",
  });
  // What only a head may say nobody reads at the end.
  expect(JSON.parse(String(trailers["x-trailers"]))).toEqual({ "x-sum": "7" });
  expect(engine.outcomes).toEqual([
    { code: "", status: 200, requestBytes: 5, responseBytes: 5, durationMs: expect.any(Number) },
  ]);
});

test("serveHttp2(): HEAD, 204, 1xx and an early whole answer", async () => {
  const { client, engine } = await world((stream, fields) => {
    switch (fields[":path"]) {
      case "/head":
        stream.respond({ ":status": 200, "content-length": "1000" });
        return;
      case "/none":
        stream.respond({ ":status": 204 }, { endStream: true });
        return;
      case "/hints":
        stream.additionalHeaders({ ":status": 103, link: "</style.css>" });
        stream.respond({ ":status": 200 });
        stream.end("after hints");
        return;
      default:
        // Reads nothing of what it is sent.
        stream.respond({ ":status": 413 });
        stream.end("too large");
        stream.once("finish", () => stream.close());
    }
  });
  const head = await ask(client, { ":path": "/head", ":method": "HEAD" });
  expect([head.status, head.fields["content-length"], head.body]).toEqual([200, "1000", ""]);
  expect((await ask(client, { ":path": "/none" })).status).toBe(204);

  const hinted = client.request({ ":path": "/hints" });
  const hints: unknown[] = [];
  hinted.on("headers", (fields) => hints.push([fields[":status"], fields["link"]]));
  expect((await answerOf(hinted)).body).toBe("after hints");
  expect(hints).toEqual([[103, "</style.css>"]]);

  const upload = client.request({ ":path": "/upload", ":method": "POST" });
  upload.write(Buffer.alloc(100_000));
  const { status, body, reset } = await answerOf(upload);
  expect([status, body, reset]).toEqual([413, "too large", 0]);
  expect(engine.outcomes.map(({ code, status: of }) => `${of} ${code}`)).toEqual([
    "200 ",
    "204 ",
    "200 ",
    "413 ",
  ]);
});

test("serveHttp2(): a gate that answers late loses and reorders nothing of the body", async () => {
  const open = once<void>();
  const engine: Http2Engine[] = [];
  const { client, engine: made } = await world(echo, {
    gate: async (head): Promise<GateAnswer> => {
      await open.promise;
      return engine[0]?.pass(head) ?? Promise.reject(new Error("no engine"));
    },
  });
  engine.push(made);
  const pieces = Array.from({ length: 400 }, (_, i) => `${i};`.repeat(100));
  const stream = client.request({ ":method": "POST" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-end": "yes" }));
  for (const piece of pieces) stream.write(piece);
  stream.end();
  const answer = answerOf(stream);
  // All that the window lets through has arrived before the gate opens.
  await new Promise((resolve) => client.ping((...told) => resolve(told)));
  open.resolve();
  const { body, trailers } = await answer;
  expect(body).toBe(pieces.join(""));
  expect(trailers["x-trailers"]).toBe('{"x-end":"yes"}');
});

test("serveHttp2(): what the gate refuses the application never sees", async () => {
  const seen: unknown[] = [];
  const { client, engine } = await world((_, fields) => seen.push(fields), {
    gate: () => ({
      kind: "refuse",
      status: 403,
      reason: "denied_by_policy",
      body: "RBAC: access denied",
      fields: ["x-weft-denial", "d-1"],
    }),
  });
  const { status, body, fields } = await ask(client, { ":method": "POST" }, "secret");
  expect([status, body]).toEqual([403, "RBAC: access denied"]);
  expect([fields["x-weft-reason"], fields["x-weft-denial"]]).toEqual(["denied_by_policy", "d-1"]);

  const { status: none, body: empty } = await ask(client, { ":method": "HEAD" });
  expect([none, empty]).toEqual([403, ""]);

  // The upload that goes on is stopped without an error.
  const upload = client.request({ ":method": "POST" });
  upload.write("first");
  expect(await answerOf(upload)).toMatchObject({ status: 403, reset: 0 });

  const call = { ":method": "POST", "content-type": "application/grpc" };
  const grpc = await ask(client, call, "message");
  expect(grpc.fields).toMatchObject({
    ":status": 200,
    "content-type": "application/grpc",
    "grpc-status": "7",
    "grpc-message": "RBAC: access denied",
    "x-weft-reason": "denied_by_policy",
    "x-weft-denial": "d-1",
  });
  expect([seen, engine.dials, engine.refusals]).toEqual([[], 0, []]);
});

test("serveHttp2(): what cannot be read in one way only is refused with its code", async () => {
  const { client, engine } = await world(echo);
  const refused = await ask(client, { ":path": "/a#b" });
  expect([refused.status, refused.fields["x-weft-reason"]]).toEqual([400, "http_path_refused"]);
  const differs = await ask(client, { ":authority": "a.example", host: "b.example" });
  expect([differs.status, differs.fields["x-weft-reason"]]).toEqual([400, "http_host_differs"]);
  const connect = client.request({ ":method": "CONNECT", ":authority": "10.0.0.1:80" });
  expect((await answerOf(connect)).status).toBe(405);
  const grpc = await ask(client, { ":path": "/a#b", "content-type": "application/grpc" });
  expect([grpc.status, grpc.fields["x-weft-reason"]]).toEqual([200, "http_path_refused"]);
  expect(engine.refusals).toEqual([
    "http_path_refused",
    "http_host_differs",
    "http_connect_refused",
    "http_path_refused",
  ]);
  expect(engine.refusedWith).toEqual([400, 400, 405, 200]);
  expect([engine.heads, engine.dials]).toEqual([[], 0]);
});

test("serveHttp2(): the head that the gate gave back is the one that goes on", async () => {
  const engine: Http2Engine[] = [];
  const { client, engine: made } = await world(echo, {
    gate: (head) => {
      const fields = [...head.fields, "x-user", "alice"];
      return engine[0]?.pass({ ...head, path: "/normal", fields }) ?? Promise.reject(new Error());
    },
  });
  engine.push(made);
  const { fields } = await ask(client, { ":path": "/a/../normal?q" });
  expect(JSON.parse(String(fields["x-seen"]))).toMatchObject({
    ":path": "/normal?q",
    "x-user": "alice",
  });
});

test("serveHttp2(): what a gate adds that HTTP/2 cannot say harms that request only", async () => {
  const engine: Http2Engine[] = [];
  const odd = ["connection", "close", ":status", "200", "Content-Length", "1", "x-why", "odd"];
  const { client, engine: made } = await world(echo, {
    gate: (head) => {
      if (head.path === "/refused") {
        return { kind: "refuse", status: 403, reason: "denied", body: "no", fields: odd };
      }
      const fields = head.path === "/odd" ? ["connection", "close"] : [];
      return engine[0]?.pass({ ...head, fields }) ?? Promise.reject(new Error("no engine"));
    },
  });
  engine.push(made);
  const unsendable = await ask(client, { ":path": "/odd" });
  expect([unsendable.status, unsendable.fields["x-weft-reason"]]).toEqual([
    500,
    "http_head_refused",
  ]);
  const refused = await ask(client, { ":path": "/refused" });
  expect([refused.status, refused.body, refused.fields["x-why"]]).toEqual([403, "no", "odd"]);
  expect((await ask(client, { ":path": "/even" })).status).toBe(200);
});

test("serveHttp2(): an application that is not there is 503, for gRPC UNAVAILABLE, and the next request tries again", async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const address = closed.address();
  const appPort = typeof address === "object" ? (address?.port ?? 0) : 0;
  await new Promise((resolve) => closed.close(resolve));
  const { client, engine } = await world(echo, { appPort });
  const { status, fields } = await ask(client, {});
  expect([status, fields["x-weft-reason"]]).toEqual([503, "app_unreachable"]);
  const grpc = await ask(client, { ":method": "POST", "content-type": "application/grpc" }, "");
  expect([grpc.status, grpc.fields["grpc-status"]]).toEqual([200, "14"]);
  expect(engine.dials).toBe(2);
  expect(engine.outcomes.map(({ code }) => code)).toEqual(["app_unreachable", "app_unreachable"]);
});

test("serveHttp2(): an application that speaks something else, or dies, is 503 before an answer", async () => {
  const other = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => void other.close());
  const address = other.address();
  const appPort = typeof address === "object" ? (address?.port ?? 0) : 0;
  const { client, engine } = await world(echo, { appPort });
  const { status, fields } = await ask(client, {});
  expect([status, fields["x-weft-reason"]]).toEqual([503, "app_connection_lost"]);
  expect(engine.outcomes.map(({ code }) => code)).toEqual(["app_connection_lost"]);
});

test("serveHttp2(): an application that dies in an answer resets it; the next request finds a new connection", async () => {
  const { client, engine } = await world((stream, fields) => {
    stream.respond({ ":status": 200 });
    if (fields[":path"] === "/dies") stream.write("begun", () => stream.session?.destroy());
    else stream.end("lives");
  });
  const died = await answerOf(client.request({ ":path": "/dies" }));
  expect([died.status, died.reset]).toEqual([200, NGHTTP2_INTERNAL_ERROR]);
  expect((await ask(client, { ":path": "/next" })).body).toBe("lives");
  expect(engine.dials).toBe(2);
});

test("serveHttp2(): a call that is cancelled reaches the application, the others go on", async () => {
  const cancelled = once<number>();
  const other = once<ServerHttp2Stream>();
  const { client, engine } = await world((stream, fields) => {
    stream.respond({ ":status": 200 });
    stream.write("one");
    if (fields[":path"] === "/other") other.resolve(stream);
    else stream.once("close", () => cancelled.resolve(stream.rstCode));
  });
  const going = client.request({ ":path": "/other" });
  const stream = client.request({ ":path": "/cancelled" });
  stream.on("error", () => undefined);
  await new Promise((resolve) => stream.once("data", resolve));
  stream.close(NGHTTP2_CANCEL);
  expect(await cancelled.promise).toBe(NGHTTP2_CANCEL);
  (await other.promise).end(" two");
  expect(await answerOf(going)).toMatchObject({ body: "one two", reset: 0 });
  expect(engine.outcomes.map(({ code }) => code)).toEqual(["caller_reset", ""]);
});

test("serveHttp2(): a caller that is gone cancels all its calls", async () => {
  const begun = once<void>();
  const closed = once<number>();
  const { client } = await world((stream) => {
    begun.resolve();
    stream.once("close", () => closed.resolve(stream.rstCode));
  });
  client.request({ ":method": "POST" }).on("error", () => undefined);
  await begun.promise;
  client.destroy();
  expect(await closed.promise).toBe(NGHTTP2_CANCEL);
});

test.each([
  ["REFUSED_STREAM", NGHTTP2_REFUSED_STREAM, NGHTTP2_REFUSED_STREAM],
  ["CANCEL", NGHTTP2_CANCEL, NGHTTP2_CANCEL],
  ["ENHANCE_YOUR_CALM", constants.NGHTTP2_ENHANCE_YOUR_CALM, constants.NGHTTP2_ENHANCE_YOUR_CALM],
  ["PROTOCOL_ERROR", constants.NGHTTP2_PROTOCOL_ERROR, NGHTTP2_INTERNAL_ERROR],
])(
  "serveHttp2(): the application resets with %s, before and in its answer",
  async (_, code, told) => {
    const { client, engine } = await world((stream, fields) => {
      if (fields[":path"] === "/before") stream.close(code);
      else {
        // Without it Node ends a stream in order before it resets it.
        stream.respond({ ":status": 200 }, { waitForTrailers: true });
        stream.write("begun", () => stream.close(code));
      }
    });
    expect(await ask(client, { ":path": "/before" })).toMatchObject({ status: 0, reset: told });
    expect(await ask(client, { ":path": "/in" })).toMatchObject({ status: 200, reset: told });
    expect(engine.outcomes.map((outcome) => outcome.code)).toEqual(["app_reset", "app_reset"]);
  },
);

test("serveHttp2(): a policy that changes ends what it forbids: answered, or reset where an answer has begun", async () => {
  const begun = [once<void>(), once<void>(), once<void>()];
  const closed: number[] = [];
  const gone = once<void>();
  const { client, engine } = await world((stream, fields) => {
    const which = Number(String(fields[":path"]).slice(1));
    stream.once("close", () => {
      closed.push(stream.rstCode);
      if (closed.length === 3) gone.resolve();
    });
    if (which > 0) stream.respond({ ":status": 200 });
    if (which > 0) stream.write("begun", () => begun[which]?.resolve());
    else begun[0]?.resolve();
  });
  const grpc = { "content-type": "application/grpc" };
  const asked = [ask(client, { ":path": "/0" })];
  const streams = [client.request({ ":path": "/1" }), client.request({ ":path": "/2", ...grpc })];
  const heard = streams.map((stream) => new Promise((resolve) => stream.once("response", resolve)));
  asked.push(...streams.map(answerOf));
  await Promise.all([...begun.map(({ promise }) => promise), ...heard]);
  for (const end of engine.held) end();
  const [unanswered, http, call] = await Promise.all(asked);
  expect(unanswered).toMatchObject({ status: 403, body: "RBAC: access denied" });
  expect(unanswered?.fields["x-weft-reason"]).toBe("policy_changed");
  expect(http?.reset).toBe(NGHTTP2_CANCEL);
  expect(call).toMatchObject({ status: 200, body: "begun", reset: 0 });
  expect(call?.trailers).toMatchObject({ "grpc-status": "7", "x-weft-reason": "policy_changed" });
  await gone.promise;
  expect(closed).toEqual([NGHTTP2_CANCEL, NGHTTP2_CANCEL, NGHTTP2_CANCEL]);
  expect(new Set(engine.outcomes.map(({ code }) => code))).toEqual(new Set(["policy_changed"]));
});

test("serveHttp2(): forbidden before the application is connected to, a request never gets there", async () => {
  const seen: unknown[] = [];
  const engine: Http2Engine[] = [];
  const { client, engine: made } = await world((_, fields) => seen.push(fields[":path"]), {
    gate: (head): GateAnswer => ({
      kind: "pass",
      head,
      hold: (end) => {
        // At once, and while the connection is being opened.
        if (head.path === "/now") end();
        else setImmediate(end);
        return () => undefined;
      },
      done: (outcome) => engine[0]?.outcomes.push(outcome),
    }),
  });
  engine.push(made);
  const answers = await Promise.all([
    ask(client, { ":path": "/now", ":method": "POST" }, "body"),
    ask(client, { ":path": "/soon" }),
  ]);
  expect(answers.map(({ status, body }) => [status, body])).toEqual([
    [403, "RBAC: access denied"],
    [403, "RBAC: access denied"],
  ]);
  expect(made.outcomes.map(({ code }) => code)).toEqual(["policy_changed", "policy_changed"]);
  expect(seen).not.toContain("/now");
});

test("serveHttp2(): drain() lets what runs end, and then the connection", async () => {
  const running = once<ServerHttp2Stream>();
  const { client, engine } = await world((stream) => {
    stream.respond({ ":status": 200 });
    running.resolve(stream);
  });
  const long = answerOf(client.request({ ":path": "/long" }));
  const closed = new Promise((resolve) => client.once("close", resolve));
  const stream = await running.promise;
  const goAway = new Promise((resolve) => client.once("goaway", resolve));
  engine.served[0]?.drain();
  expect(await goAway).toBe(0);
  stream.end("at last");
  expect((await long).body).toBe("at last");
  await closed;
});

test("serveHttp2(): an application's GOAWAY: what runs goes on, what is new has a new connection", async () => {
  const running = once<ServerHttp2Stream>();
  const { client, engine } = await world((stream, fields) => {
    stream.respond({ ":status": 200 });
    if (fields[":path"] === "/long") running.resolve(stream);
    else stream.end("new");
  });
  const long = answerOf(client.request({ ":path": "/long" }));
  const stream = await running.promise;
  stream.session?.close();
  // Until the GOAWAY has come requests take the old one, where they are answered too.
  for (let asked = 0; engine.dials === 1 && asked < 1_000; asked += 1) {
    const { reset } = await ask(client, { ":path": "/new" });
    expect([0, NGHTTP2_REFUSED_STREAM]).toContain(reset);
  }
  expect(engine.dials).toBe(2);
  expect((await ask(client, { ":path": "/new" })).body).toBe("new");
  stream.end("old");
  expect((await long).body).toBe("old");
});

test("serveHttp2(): ten thousand small streams of one connection, a hundred at a time", async () => {
  const { client, engine } = await world(echo);
  let next = 0;
  const wrong: unknown[] = [];
  async function run(): Promise<void> {
    while (next < 10_000) {
      const body = `${next++}`;
      const answer = await ask(client, { ":method": "POST" }, body);
      if (answer.body !== body || answer.status !== 200) wrong.push(answer);
    }
  }
  await Promise.all(Array.from({ length: 100 }, run));
  expect(wrong).toEqual([]);
  expect([engine.dials, engine.outcomes.length]).toEqual([1, 10_000]);
}, 240_000);
