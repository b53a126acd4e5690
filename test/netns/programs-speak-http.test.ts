/**
 * Programs that people use, through two node proxies that both read every request: curl, nghttp, h2load and Python's client
 * call nginx, Python's `http.server` and Node's servers.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { listenInPod } from "./pod-network.ts";
import { createProgramMesh, type ProgramMesh } from "./program-mesh.ts";
import { startNginx } from "./programs/nginx.ts";

const PORTS = { nginx1: 8081, nginx2: 8082, python: 8083, node1: 8084, node2: 8085 };
const SERVERS = [
  { name: "nginx1", port: PORTS.nginx1, version: "http1" },
  { name: "nginx2", port: PORTS.nginx2, version: "http2" },
  { name: "python", port: PORTS.python, version: "http1" },
  { name: "node1", port: PORTS.node1, version: "http1" },
  { name: "node2", port: PORTS.node2, version: "http2" },
] as const;
const PAGE = "It works behind two proxies.\n".repeat(2_000);
const UPLOAD = randomBytes(4 << 20);
const listeners: Server[] = [];
/** What Node's servers were asked, oldest first. */
const asked: string[] = [];
let world: ProgramMesh;
/** In the caller's file system. */
let uploaded: string;
let fetched: string;

beforeAll(async () => {
  world = await createProgramMesh("wt-progs", SERVERS);
  uploaded = join(world.folder, "uploaded");
  fetched = join(world.folder, "fetched");
  writeFileSync(uploaded, UPLOAD);
  await startNginx(world, PAGE, { http1: PORTS.nginx1, http2: PORTS.nginx2 });
  const files = join(world.folder, "nginx/files");
  await world.start(
    ["python3", "-m", "http.server", `${PORTS.python}`, "--directory", files],
    [PORTS.python],
  );
  const { b } = world.mesh.network;
  const http1 = createServer(answer1);
  const http2 = createHttp2Server();
  http2.on("stream", answer2).on("session", (session) => session.on("error", () => undefined));
  for (const [port, server] of [
    [PORTS.node1, http1],
    [PORTS.node2, http2],
  ] as const) {
    listeners.push(
      await listenInPod(b, { port, family: 4 }, (socket) => {
        server.emit("connection", socket);
      }),
    );
  }
});

beforeEach(() => {
  asked.length = 0;
  for (const { ended } of [world.mesh.a, world.mesh.b]) ended.length = 0;
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await Promise.all(listeners.map((listener) => once(listener.close(), "close")));
});

/** The body as it came, and its length as a trailer. */
function answer1(request: IncomingMessage, response: ServerResponse): void {
  const { method, url } = request;
  response.writeHead(200, { trailer: "x-length" });
  let length = 0;
  request.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (!response.write(chunk)) {
      request.pause();
      response.once("drain", () => request.resume());
    }
  });
  request.once("end", () => {
    asked.push(`${method} ${url} ${length}`);
    response.addTrailers({ "x-length": `${length}` });
    response.end();
  });
}

/** The same, and the caller's trailers as trailers. */
function answer2(stream: ServerHttp2Stream, head: IncomingHttpHeaders): void {
  stream.on("error", () => undefined);
  stream.respond({ ":status": 200 }, { waitForTrailers: true });
  let length = 0;
  let trailers: IncomingHttpHeaders = {};
  stream.on("data", (chunk: Buffer) => {
    length += chunk.length;
  });
  stream.on("trailers", (fields: IncomingHttpHeaders) => {
    trailers = fields;
  });
  stream.on("wantTrailers", () =>
    stream.sendTrailers({
      "x-length": `${length}`,
      "x-asked": String(trailers["x-note"] ?? "none"),
    }),
  );
  stream.once("end", () =>
    asked.push(`${String(head[":method"])} ${String(head[":path"])} ${length}`),
  );
  stream.pipe(stream);
}

/** What it printed; its errors where it did not end well. */
async function run(...command: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await world.run(command);
  expect([command[0], code, code === 0 ? "" : stderr]).toEqual([command[0], 0, ""]);
  return stdout;
}

/** Both nodes have read so many requests, and tell them. */
async function readAtBoth(count: number): Promise<void> {
  for (const { ended } of [world.mesh.a, world.mesh.b]) {
    const read = await until(`${count} requests in the log`, () => {
      const requests = ended.filter(({ facts }) => facts.request);
      return requests.length >= count ? requests : undefined;
    });
    expect(read).toHaveLength(count);
  }
}

/** With its version and status at the end. */
async function curl(...args: readonly string[]): Promise<string> {
  return run("curl", "-sS", "-w", "%{http_version} %{http_code}", ...args);
}

function at(server: (typeof SERVERS)[number]["name"], path: string): string {
  return `http://${world.addressOf(server)}${path}`;
}

test("curl: GET, twice over one connection, of nginx", async () => {
  const [page, code] = [at("nginx1", "/page.txt"), "%{http_code} %{num_connects}\n"];
  const said = await run("curl", "-sS", "-o", fetched, "-w", code, page, "-o", fetched, page);
  expect(said).toBe("200 1\n200 0\n");
  expect(readFileSync(fetched, "utf8")).toBe(PAGE);
  await readAtBoth(2);
});

test("curl: HEAD has the length of the page and none of it", async () => {
  const said = await curl("-I", at("nginx1", "/page.txt"));
  expect(said).toContain(`content-length: ${PAGE.length}\r\n`);
  expect(said).toMatch(/\r\n\r\n1\.1 200$/);
});

test.each([
  ["a part", "/page.txt", []],
  ["HTTP/1.0", "/page.txt", ["-0"]],
  [
    "absolute form",
    "/none",
    ["--request-target", "http://api.shop/page.txt", "-H", "Host: api.shop"],
  ],
  ["a redirect", "/moved", ["-L"]],
])("curl: %s of nginx", async (_what, path, args) => {
  expect(await curl(...args, "-r", "3-7", at("nginx1", path))).toBe("works1.1 206");
});

test("curl: compressed, by what client and server agree on", async () => {
  const url = at("nginx1", "/page.txt");
  const said = await run(
    "curl",
    "-sS",
    "--compressed",
    "-w",
    "%{size_download}",
    "-o",
    fetched,
    url,
  );
  expect(Number(said)).toBeLessThan(PAGE.length / 10);
  expect(readFileSync(fetched, "utf8")).toBe(PAGE);
});

test("curl: no content, and the next of the connection", async () => {
  const code = "%{http_code} %{num_connects}\n";
  const urls = [at("nginx1", "/nothing"), at("nginx1", "/absent")];
  expect(
    await run(
      "curl",
      "-sS",
      "-o",
      fetched,
      "-w",
      code,
      urls[0] ?? "",
      "-o",
      fetched,
      urls[1] ?? "",
    ),
  ).toBe("204 1\n404 0\n");
});

test("curl: a file put at nginx after 100 Continue, which nginx gives", async () => {
  const url = at("nginx1", "/upload/big");
  const expecting = ["-H", "Expect: 100-continue", "--expect100-timeout", "200"];
  const { code, stderr } = await world.run(["curl", "-sSv", ...expecting, "-T", uploaded, url]);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/100 Continue[\s\S]*201 Created/)]);
  await run("curl", "-sS", "-o", fetched, url);
  expect(readFileSync(fetched).equals(UPLOAD)).toBe(true);
});

test("curl: a file put at nginx in chunks", async () => {
  const url = at("nginx1", "/upload/chunks");
  const chunked = ["-H", "Transfer-Encoding: chunked", "-T", uploaded];
  expect(await curl(...chunked, url)).toMatch(/1\.1 201$/);
  await run("curl", "-sS", "-o", fetched, url);
  expect(readFileSync(fetched).equals(UPLOAD)).toBe(true);
});

test("curl: trailers of nginx and of Node", async () => {
  const nginx = await curl("-D", "-", "-o", fetched, at("nginx1", "/trailer/page.txt"));
  expect(nginx).toMatch(/x-sum: nginx\r\n[\s\S]*1\.1 200$/);
  expect(readFileSync(fetched, "utf8")).toBe(PAGE);
  const node = await curl(
    "-D",
    "-",
    "--data-binary",
    `@${uploaded}`,
    "-o",
    fetched,
    at("node1", "/echo"),
  );
  expect(node).toContain(`x-length: ${UPLOAD.length}\r\n`);
  expect(readFileSync(fetched).equals(UPLOAD)).toBe(true);
  expect(asked).toEqual([`POST /echo ${UPLOAD.length}`]);
});

test("curl: a file up and down over HTTP/2 with prior knowledge", async () => {
  const args = ["--http2-prior-knowledge", "--data-binary", `@${uploaded}`, "-o", fetched];
  expect(await curl(...args, at("node2", "/echo"))).toBe("2 200");
  expect(readFileSync(fetched).equals(UPLOAD)).toBe(true);
  expect(await curl("--http2-prior-knowledge", "-I", at("nginx2", "/page.txt"))).toContain(
    `content-length: ${PAGE.length}\r\n`,
  );
});

test("curl: Python's http.server, which speaks HTTP/1.0, over one connection of the caller's", async () => {
  const [page, code] = [at("python", "/page.txt"), "%{http_code} %{num_connects}\n"];
  const said = await run("curl", "-sS", "-o", fetched, "-w", code, page, "-o", fetched, page);
  expect(said).toBe("200 1\n200 0\n");
  expect(readFileSync(fetched, "utf8")).toBe(PAGE);
  expect(await curl("-I", page)).toMatch(/\r\n\r\n1\.1 200$/);
  expect(await curl("-d", "nothing takes it", "-o", fetched, page)).toBe("1.1 501");
  expect(await curl(at("python", "/"))).toContain('<a href="page.txt">');
});

test("Python's client: a body in chunks, without its length", async () => {
  const [host, port] = world.addressOf("node1").split(":");
  const program = [
    "import http.client",
    `called = http.client.HTTPConnection("${host}", ${port})`,
    'called.request("PUT", "/chunks", body=(b"x" * 1000 for _ in range(1000)), encode_chunked=True,',
    '  headers={"Transfer-Encoding": "chunked"})',
    "answer = called.getresponse()",
    "print(answer.status, len(answer.read()))",
  ];
  expect(await run("python3", "-c", program.join("\n"))).toBe("200 1000000\n");
  expect(asked).toEqual(["PUT /chunks 1000000"]);
});

test("nghttp: a body and trailers up, body and trailers down", async () => {
  const args = ["-v", "-d", uploaded, "--trailer", "x-note: from-nghttp"];
  const said = await run("nghttp", "-n", ...args, at("node2", "/echo"));
  expect(said).toMatch(new RegExp(`x-length: ${UPLOAD.length}`));
  expect(said).toContain("x-asked: from-nghttp");
  expect(asked).toEqual([`POST /echo ${UPLOAD.length}`]);
});

test("nghttp: twenty of nginx at once over one connection, each with its trailers", async () => {
  const said = await run("nghttp", "-nv", "-m", "20", at("nginx2", "/trailer/page.txt"));
  expect(said.match(/x-sum: nginx/g)).toHaveLength(20);
  expect(said.match(/:status: 200/g)).toHaveLength(20);
  await readAtBoth(20);
});

test.each([
  ["HTTP/2", "nginx2", ["-m", "50"]],
  ["HTTP/1.1", "nginx1", ["--h1"]],
] as const)("h2load: a thousand requests of four clients over %s", async (_, server, args) => {
  const said = await run("h2load", "-n", "1000", "-c", "4", ...args, at(server, "/page.txt"));
  expect(said).toContain("1000 succeeded, 0 failed, 0 errored, 0 timeout");
  expect(said).toContain("1000 2xx");
});
