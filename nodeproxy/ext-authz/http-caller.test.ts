import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { HttpAuthorizer } from "../../core/model/authorization-provider.ts";
import type { RequestHead } from "../http/message.ts";
import { checkOverHttp } from "./http-caller.ts";

const HEAD: RequestHead = {
  method: "POST",
  scheme: "http",
  authority: "api.shop",
  path: "/orders",
  query: "?id=1",
  fields: ["authorization", "Bearer t", "x-tenant", "blue", "x-other", "o", "x-added", "forged"],
  upgrade: "",
  version: "1.1",
};
const PROTOCOL: HttpAuthorizer = {
  kind: "http",
  pathPrefix: "/check",
  requestHeaders: [{ kind: "prefix", value: "x-ten" }],
  additionalHeaders: [{ name: "x-added", value: "mesh" }],
  upstreamHeadersOnAllow: [{ kind: "exact", value: "x-user" }],
  downstreamHeadersOnAllow: [],
  downstreamHeadersOnDeny: [{ kind: "exact", value: "location" }],
};

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let asked: IncomingMessage | undefined;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked = request;
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});

beforeEach(() => {
  asked = undefined;
});

afterAll(async () => {
  server.closeAllConnections();
  await once(server.close(), "close");
});

async function open() {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

async function check(signal = new AbortController().signal) {
  return checkOverHttp({ head: HEAD, protocol: PROTOCOL, open }, signal);
}

test("checkOverHttp(): asks with the request itself, its path behind the prefix, and what is named of its headers", async () => {
  answer = (_request, response) => response.end();
  await check();
  expect(asked).toMatchObject({ method: "POST", url: "/check/orders?id=1" });
  expect(asked?.headers).toEqual({
    host: "api.shop",
    "content-length": "0",
    connection: "close",
    authorization: "Bearer t",
    "x-tenant": "blue",
    "x-added": "mesh",
  });
});

test("checkOverHttp(): 200 permits, and what is named of its headers goes to the workload", async () => {
  answer = (_request, response) =>
    response.setHeader("x-user", "ann").setHeader("x-role", "root").end("body");
  expect(await check()).toEqual({
    answer: "permit",
    changes: { remove: [], set: [["x-user", "ann"]], append: [] },
  });
});

test("checkOverHttp(): any other answer denies, as it says", async () => {
  answer = (_request, response) =>
    response.writeHead(302, { location: "/login", "x-role": "root" }).end("see there");
  expect(await check()).toEqual({
    answer: "deny",
    denial: { status: 302, body: "see there", fields: ["location", "/login"] },
  });
});

test("checkOverHttp(): another 2xx is no yes, and no status for a denial", async () => {
  answer = (_request, response) => response.writeHead(201).end();
  expect(await check()).toMatchObject({ answer: "deny", denial: { status: 403 } });
});

test("checkOverHttp(): an authorizer that fails has said nothing", async () => {
  answer = (_request, response) => response.writeHead(503).end();
  await expect(check()).rejects.toMatchObject({ reason: "failed" });
  answer = (request) => request.socket.destroy();
  await expect(check()).rejects.toMatchObject({ reason: "unreachable" });
  answer = (_request, response) => response.end("x".repeat(100_000));
  await expect(check()).rejects.toMatchObject({ reason: "failed" });
});

test("checkOverHttp(): one that does not answer is given up when the time is over", async () => {
  const over = new AbortController();
  answer = () => over.abort();
  await expect(check(over.signal)).rejects.toMatchObject({ reason: "timeout" });
});
