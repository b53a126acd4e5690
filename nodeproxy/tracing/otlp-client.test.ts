import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { OtlpClient } from "./otlp-client.ts";

const MESSAGE = Buffer.from([10, 0]);
const open: { close(): void }[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

interface Served {
  readonly client: OtlpClient;
  readonly asked: IncomingMessage[];
  readonly bodies: Buffer[];
  /** How often the client has asked where the collector is. */
  readonly found: () => number;
}

async function serve(answer: Answer): Promise<Served> {
  const asked: IncomingMessage[] = [];
  const bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.push(Buffer.concat(chunks));
      answer(response, request);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  let finds = 0;
  const client = new OtlpClient({
    find: () => {
      finds += 1;
      return { host: "127.0.0.1", port };
    },
    userAgent: "weft/test",
  });
  open.push(client, { close: () => server.close().closeAllConnections() });
  return { client, asked, bodies, found: () => finds };
}

test("OtlpClient: posts to /v1/traces, over one connection", async () => {
  const { client, asked, bodies, found } = await serve((response) => response.end());
  expect(await client.post(MESSAGE)).toEqual({ kind: "taken", rejected: 0 });
  expect(await client.post(MESSAGE)).toEqual({ kind: "taken", rejected: 0 });
  expect(bodies).toEqual([MESSAGE, MESSAGE]);
  expect(asked[0]?.headers).toMatchObject({
    "content-type": "application/x-protobuf",
    "content-length": "2",
    "user-agent": "weft/test",
  });
  expect([asked[0]?.method, asked[0]?.url]).toEqual(["POST", "/v1/traces"]);
  expect(asked[0]?.socket.remotePort).toBe(asked[1]?.socket.remotePort);
  expect(found()).toBe(1);
});

test("OtlpClient: a partial success says how many were rejected", async () => {
  // partial_success { rejected_spans: 3, error_message: "no" }
  const body = Buffer.from([10, 6, 8, 3, 18, 2, 110, 111]);
  const { client } = await serve((response) => response.end(body));
  expect(await client.post(MESSAGE)).toEqual({ kind: "taken", rejected: 3 });
});

test("OtlpClient: an answer that cannot be read is an answer", async () => {
  const { client } = await serve((response) => response.end("{}"));
  expect(await client.post(MESSAGE)).toEqual({ kind: "taken", rejected: 0 });
});

test.each([400, 401, 404, 413, 500])("OtlpClient: %d is not to be sent again", async (status) => {
  const { client } = await serve((response) => response.writeHead(status).end());
  const reason = `the collector answers ${status}`;
  expect(await client.post(MESSAGE)).toEqual({ kind: "refused", reason });
});

test.each([429, 502, 503, 504])("OtlpClient: %d is, maybe at another endpoint", async (status) => {
  const { client, found } = await serve((response) => response.writeHead(status).end());
  const reason = `the collector answers ${status}`;
  expect(await client.post(MESSAGE)).toEqual({ kind: "later", reason, afterMs: 0 });
  await client.post(MESSAGE);
  expect(found()).toBe(2);
});

test.each([
  ["7", 7_000],
  ["0", 0],
  ["86400", 300_000],
  ["soon", 0],
  ["Wed, 21 Oct 2015 07:28:00 GMT", 0],
])("OtlpClient: Retry-After: %s", async (text, afterMs) => {
  const { client } = await serve((response) =>
    response.writeHead(503, { "retry-after": text }).end(),
  );
  expect(await client.post(MESSAGE)).toMatchObject({ kind: "later", afterMs });
});

test("OtlpClient: Retry-After may be a date", async () => {
  const date = new Date(Date.now() + 3_600_000).toUTCString();
  const { client } = await serve((response) =>
    response.writeHead(429, { "retry-after": date }).end(),
  );
  expect(await client.post(MESSAGE)).toMatchObject({ kind: "later", afterMs: 300_000 });
});

test("OtlpClient: a connection that breaks, and an endless answer, are for later", async () => {
  const broken = await serve((_response, { socket }) => socket.destroy());
  expect(await broken.client.post(MESSAGE)).toMatchObject({ kind: "later", afterMs: 0 });
  const endless = await serve((response) => response.end(Buffer.alloc(1 << 20)));
  expect(await endless.client.post(MESSAGE)).toMatchObject({ kind: "later", afterMs: 0 });
});

test("OtlpClient: says why there is nobody to ask", async () => {
  const client = new OtlpClient({ find: () => "no endpoint", userAgent: "" });
  open.push(client);
  expect(await client.post(MESSAGE)).toEqual({ kind: "later", reason: "no endpoint", afterMs: 0 });
});

test("OtlpClient: what is under way ends as it is closed", async () => {
  const arrived = Promise.withResolvers<void>();
  const { client } = await serve(() => arrived.resolve());
  const posted = client.post(MESSAGE);
  await arrived.promise;
  client.close();
  expect(await posted).toMatchObject({ kind: "later" });
});
