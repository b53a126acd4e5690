/** Whole exchanges through the engine: what the pod gets of what a client sends, and the other way. */
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { callRaw, Http1Proxy, type ProxyOptions, RawPod } from "../../test/fakes/http1-proxy.ts";

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function rawStage(options: ProxyOptions = {}) {
  const pod = await new RawPod().start();
  closers.push(() => pod.close());
  const proxy = await new Http1Proxy(pod.port, options).start();
  closers.push(() => proxy.close());
  const client = await callRaw(proxy.port);
  closers.push(() => client.socket.destroy());
  return { pod, proxy, client };
}

test("serveHttp1(): a request and its response go through, written anew", async () => {
  const { pod, proxy, client } = await rawStage();
  client.write(
    "GET /a/b?c=d HTTP/1.1\r\nHOST: Shop.example:80\r\nX-One:  1 \r\nx-one: 2\r\nConnection: X-Hop\r\nX-Hop: gone\r\nKeep-Alive: timeout=5\r\n\r\n",
  );
  const back = await pod.connection(0);
  expect(await back.until(/\r\n\r\n/)).toBe(
    "GET /a/b?c=d HTTP/1.1\r\nhost: Shop.example:80\r\nx-one: 1\r\nx-one: 2\r\n\r\n",
  );
  back.write(
    "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-Two: 2\r\nConnection: x-hop\r\nX-Hop: gone\r\n\r\nhello",
  );
  expect(await client.until(/hello$/)).toBe(
    "HTTP/1.1 200 OK\r\nx-two: 2\r\ncontent-length: 5\r\n\r\nhello",
  );
  expect(proxy.asked).toEqual([
    {
      method: "GET",
      scheme: "http",
      authority: "Shop.example:80",
      path: "/a/b",
      query: "?c=d",
      fields: ["x-one", "1", "x-one", "2"],
      upgrade: "",
      version: "1.1",
    },
  ]);
  await proxy.until(() => proxy.outcomes.length === 1);
  expect(proxy.outcomes[0]).toMatchObject({
    code: "",
    status: 200,
    requestBytes: 0,
    responseBytes: 5,
  });
  expect(proxy.held.size).toBe(0);
});

test("serveHttp1(): a body of known length and a chunked one go on as they are told of, trailers too", async () => {
  const { pod, client } = await rawStage();
  client.write("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  const back = await pod.connection(0);
  expect(await back.until(/hello$/)).toBe(
    "POST /1 HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
  );
  back.write("HTTP/1.1 204 No Content\r\n\r\n");
  await client.until(/204[^]*\r\n\r\n$/);
  client.write(
    "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 7\r\nHost: evil\r\n\r\n",
  );
  await back.until(/x-sum: 7\r\n\r\n$/);
  expect(back.received.slice(back.received.indexOf("POST /2"))).toBe(
    "POST /2 HTTP/1.1\r\nhost: a\r\ntrailer: X-Sum\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nx-sum: 7\r\n\r\n",
  );
  back.write(
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nGrpc-Status: 0\r\n\r\n",
  );
  await client.until(/grpc-status: 0\r\n\r\n$/);
  expect(client.received.slice(client.received.indexOf("HTTP/1.1 200"))).toBe(
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\ngrpc-status: 0\r\n\r\n",
  );
});

test("serveHttp1(): HEAD, 204 and 304 have no body, whatever their fields say of one", async () => {
  const { pod, client, proxy } = await rawStage();
  const answers = [
    [
      "HEAD",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
      /200 OK\r\ncontent-length: 9\r\n\r\n$/,
    ],
    ["HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", /200 OK\r\n\r\n$/],
    [
      "GET",
      "HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n",
      /304 Not Modified\r\ncontent-length: 9\r\n\r\n$/,
    ],
    ["GET", "HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n", /204 No Content\r\n\r\n$/],
  ] as const;
  for (const [i, [method, answer, expected]] of answers.entries()) {
    client.write(`${method} /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const back = await pod.connection(0);
    await back.until(new RegExp(`/${i} HTTP`));
    back.write(answer);
    await client.until(expected);
  }
  expect(proxy.dials).toBe(1);
});

test("serveHttp1(): interim responses go on, and 100 lets the client send its body", async () => {
  const { pod, client } = await rawStage();
  client.write("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  const back = await pod.connection(0);
  expect(await back.until(/\r\n\r\n/)).toContain("expect: 100-continue\r\n");
  back.write("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
  expect(await client.until(/100 Continue\r\n\r\n$/)).toBe(
    "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
  );
  client.write("body");
  await back.until(/body$/);
  back.write("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  await client.until(/201 Created\r\ncontent-length: 0\r\n\r\n$/);
});

test("serveHttp1(): an interim response without end is no response", async () => {
  const { pod, client } = await rawStage();
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const back = await pod.connection(0);
  await back.until(/\r\n\r\n/);
  back.write("HTTP/1.1 102 Processing\r\n\r\n".repeat(100));
  expect(await client.until(/x-weft-reason: upstream_response_invalid/)).toContain("HTTP/1.1 502 ");
});

test("serveHttp1(): pipelined requests are answered in order, one after another", async () => {
  const { pod, client, proxy } = await rawStage();
  client.write(
    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  const back = await pod.connection(0);
  for (const path of ["/1", "/2", "/3"]) {
    await back.until(new RegExp(`${path} HTTP`));
    expect(proxy.asked.at(-1)?.path).toBe(path);
    back.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${path}`);
  }
  await client.until(/\/3$/);
  expect(client.received.match(/\/\d$|\/\d(?=HTTP)/g)).toEqual(["/1", "/2", "/3"]);
  expect(proxy.dials).toBe(1);
});

test("serveHttp1(): the absolute form is taken where it means the Host, and goes on in origin form", async () => {
  const { pod, client } = await rawStage();
  client.write("GET http://Shop.example:80/x?y HTTP/1.1\r\nHost: shop.example\r\n\r\n");
  const back = await pod.connection(0);
  expect(await back.until(/\r\n\r\n/)).toBe("GET /x?y HTTP/1.1\r\nhost: Shop.example:80\r\n\r\n");
});

test("serveHttp1(): of an HTTP/1.0 client the connection ends with the response, unless it asks to keep it", async () => {
  const { pod, client, proxy } = await rawStage();
  client.write("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const back = await pod.connection(0);
  expect(await back.until(/\r\n\r\n/)).toBe("GET /1 HTTP/1.1\r\nhost: \r\n\r\n");
  back.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  expect(await client.until(/ok$/)).toBe(
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok",
  );
  client.received = "";
  client.write(
    "GET /2 HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
  );
  await back.until(/GET \/2 HTTP\/1.1\r\nhost: a\r\n\r\n$/);
  back.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  expect(await client.untilEnd()).toBe("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc");
  expect([client.end, proxy.dials]).toEqual(["ended", 1]);
});

test("serveHttp1(): a body that ends with the pod's connection becomes chunked, and the client's connection lives on", async () => {
  const { pod, client, proxy } = await rawStage();
  client.write("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  const back = await pod.connection(0);
  await back.until(/\r\n\r\n/);
  back.write("HTTP/1.0 200 OK\r\n\r\nall of it");
  await client.until(/all of it/);
  back.socket.end();
  expect(await client.until(/0\r\n\r\n$/)).toBe(
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nall of it\r\n0\r\n\r\n",
  );
  client.write("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  await (await pod.connection(1)).until(/GET \/2 /);
  expect(proxy.dials).toBe(2);
});

test("serveHttp1(): after 101 it is bytes both ways, those that came early too, and each half ends by itself", async () => {
  const { pod, client, proxy } = await rawStage();
  client.write(
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n\r\nearly",
  );
  const back = await pod.connection(0);
  expect(await back.until(/\r\n\r\n/)).toBe(
    "GET /chat HTTP/1.1\r\nhost: a\r\nsec-websocket-key: k\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  );
  expect(proxy.asked[0]?.upgrade).toBe("websocket");
  back.write(
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n\x81~",
  );
  expect(await client.until(/\x81~$/)).toBe(
    "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x81~",
  );
  await back.until(/early$/);
  client.socket.end("GET / HTTP/1.1\r\n\r\n");
  await back.untilEnd();
  expect(back.received.endsWith("earlyGET / HTTP/1.1\r\n\r\n")).toBe(true);
  back.socket.end("last word");
  await client.untilEnd();
  expect(client.received.endsWith("last word")).toBe(true);
  await proxy.until(() => proxy.outcomes.length === 1);
  expect(proxy.outcomes[0]).toMatchObject({
    code: "",
    status: 101,
    requestBytes: 23,
    responseBytes: 11,
  });
});

test("serveHttp1(): a protocol that nobody asked for, or another one, is no response", async () => {
  for (const [asks, upgrade] of [
    ["", "websocket"],
    ["Connection: upgrade\r\nUpgrade: websocket\r\n", "other"],
    // What came after it would be requests that nobody judges: it is not asked for at all.
    ["Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", "h2c"],
  ]) {
    const { pod, client } = await rawStage();
    client.write(`GET / HTTP/1.1\r\nHost: a\r\n${asks}\r\n`);
    const back = await pod.connection(0);
    const got = await back.until(/\r\n\r\n/);
    expect(got.includes("h2c") || got.includes("http2-settings")).toBe(false);
    back.write(`HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`);
    await client.until(/502 Bad Gateway[^]*upstream_response_invalid/);
  }
});

test("serveHttp1(): a refused upgrade goes on as HTTP", async () => {
  const { pod, client } = await rawStage();
  client.write(
    "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  const back = await pod.connection(0);
  await back.until(/\/1 [^]*\r\n\r\n/);
  back.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  expect(await back.until(/\/2 [^]*\r\n\r\n$/)).toMatch(/GET \/2 HTTP\/1.1\r\nhost: a\r\n\r\n$/);
});

test("serveHttp1(): what the gate changes in a head is what the pod gets, and words that would end a line go nowhere", async () => {
  const { pod, client, proxy } = await rawStage({
    gate: (head) => {
      const fields = [...head.fields, "x-user", head.path === "/bad" ? "a\r\nx: y" : "ann"];
      return proxy.pass({ ...head, path: head.path.replace("//", "/"), fields });
    },
  });
  client.write("GET //x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  const back = await pod.connection(0);
  expect(await back.until(/\r\n\r\n/)).toBe(
    "GET /x HTTP/1.1\r\nhost: a\r\nx-user: ann\r\ncontent-length: 0\r\n\r\n",
  );
  back.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client.write("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.until(/500 Internal[^]*x-weft-reason: request_head_invalid/);
  expect(back.received).not.toContain("/bad");
});

async function nodeServer(take: (request: IncomingMessage) => Buffer): Promise<Server> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat([take(request), ...parts]);
      response.setHeader("x-url", request.url ?? "");
      if (request.url === "/chunked") {
        response.write(body.subarray(0, 1));
        response.addTrailers({ "x-last": "yes" });
        response.end(body.subarray(1));
      } else response.end(body);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  closers.push(async () => {
    server.closeAllConnections();
    await once(server.close(), "close");
  });
  return server;
}

test("serveHttp1(): Node's own client and server understand each other through it, whatever the bodies", async () => {
  const server = await nodeServer((request) => Buffer.from(`${request.method} `));
  const proxy = await new Http1Proxy((server.address() as AddressInfo).port, {}).start();
  closers.push(() => proxy.close());
  for (const octets of [0, 1, 100, 70_000, 3 << 20]) {
    for (const path of ["/chunked", "/length"]) {
      const body = Buffer.alloc(octets, `${octets} octets;`);
      const call = httpRequest({ port: proxy.port, path, method: "POST" });
      if (path === "/length") call.setHeader("content-length", octets);
      call.end(body);
      const [response] = (await once(call, "response")) as [IncomingMessage];
      const got = Buffer.concat(await response.toArray());
      expect(got.equals(Buffer.concat([Buffer.from("POST "), body]))).toBe(true);
      expect(response.trailers["x-last"]).toBe(path === "/chunked" ? "yes" : undefined);
    }
  }
  expect(proxy.outcomes.every(({ code }) => code === "")).toBe(true);
});
