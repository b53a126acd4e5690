/** Who reads slowly holds back who writes, through the engine, and nothing is kept in between but windows. */
import { createHash } from "node:crypto";
import {
  type ClientHttp2Session,
  connect,
  type Http2Stream,
  type ServerHttp2Stream,
} from "node:http2";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startHboneClient, startHboneServer } from "../../test/fakes/hbone-pair.ts";
import {
  answerOf,
  ask,
  type Http2App,
  Http2Engine,
  openClient,
  startHttp2App,
} from "../../test/fakes/http2-engine.ts";
import { duplexOf } from "./side-duplex.ts";

const PIECE = Buffer.alloc(16 << 10, "weft");
const PIECES = 2_048;
/** All that may lie between the two: windows of both hops, buffers of streams and of the kernel's sockets. */
const BETWEEN = 12 << 20;
const ROUND_TRIPS = 100;

/** Writes all as fast as it is let. */
class Writer {
  bytes = 0;

  constructor(stream: Http2Stream) {
    let left = PIECES;
    const write = () => {
      while (left > 0) {
        left -= 1;
        this.bytes += PIECE.length;
        if (!stream.write(PIECE) && left > 0) {
          stream.once("drain", write);
          return;
        }
      }
      stream.end();
    };
    write();
  }
}

const DIGEST = (() => {
  const hash = createHash("sha256");
  for (let i = 0; i < PIECES; i += 1) hash.update(PIECE);
  return hash.digest("hex");
})();

async function digestOf(stream: Http2Stream): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

let app: Http2App;
let engine: Http2Engine;
let client: ClientHttp2Session;
let writer: Writer | undefined;
let uploaded: PromiseWithResolvers<ServerHttp2Stream>;

beforeEach(async () => {
  uploaded = Promise.withResolvers();
  app = await startHttp2App((stream, fields) => {
    if (fields[":path"] === "/up") {
      uploaded.resolve(stream);
      return;
    }
    stream.respond({ ":status": 200 });
    if (fields[":path"] === "/down") writer = new Writer(stream);
    else stream.end("small");
  });
  engine = await new Http2Engine({ appPort: app.port }).start();
  client = await openClient(engine.port);
});

afterEach(async () => {
  client.destroy();
  await engine.close();
  await app.close();
});

/** Other streams go on meanwhile, so often that all would have come through that can. */
async function othersGoOn(): Promise<void> {
  for (let i = 0; i < ROUND_TRIPS; i += 1) {
    expect((await ask(client, { ":path": "/small" })).body).toBe("small");
  }
}

test("serveHttp2(): a caller that does not read stops the application, and then gets all of it", async () => {
  const stream = client.request({ ":path": "/down" });
  await new Promise((resolve) => stream.once("response", resolve));
  await othersGoOn();
  expect(writer?.bytes).toBeLessThan(BETWEEN);
  expect(await digestOf(stream)).toBe(DIGEST);
});

test("serveHttp2(): an application that does not read stops the caller, and then gets all of it", async () => {
  const stream = client.request({ ":path": "/up", ":method": "POST" });
  const upload = new Writer(stream);
  const read = await uploaded.promise;
  await othersGoOn();
  expect(upload.bytes).toBeLessThan(BETWEEN);
  expect(await digestOf(read)).toBe(DIGEST);
  read.respond({ ":status": 204 }, { endStream: true });
  expect((await answerOf(stream)).status).toBe(204);
});

test("serveHttp2(): the same in a tunnel's stream", async () => {
  const tunnels = await startHboneServer(({ stream }) => {
    stream.answer(200, false);
    engine.serve(stream);
  });
  const tunnel = await startHboneClient(tunnels.port);
  const { stream: side } = await tunnel.open().until(({ status }) => status !== undefined);
  const inner = connect("http://shop", { createConnection: () => duplexOf(side) });
  expect((await ask(inner, { ":path": "/small" })).body).toBe("small");
  const stream = inner.request({ ":path": "/down" });
  await new Promise((resolve) => stream.once("response", resolve));
  for (let i = 0; i < ROUND_TRIPS; i += 1) await ask(inner, { ":path": "/small" });
  expect(writer?.bytes).toBeLessThan(BETWEEN);
  expect(await digestOf(stream)).toBe(DIGEST);
  inner.close();
  await new Promise((resolve) => inner.once("close", resolve));
  tunnel.connection.destroy();
  await tunnels.close();
});
