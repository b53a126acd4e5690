/**
 * What is open when a port becomes HTTP, or is it no more, would be judged as what it is not any more: it ends. Through
 * the operator's index and two node proxies.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { TokenIssuer } from "../fakes/token-issuer.ts";
import { A, B } from "../policy-language.ts";
import { requestText } from "./http-requests.ts";
import { nextText, startFromPod } from "./pod-network.ts";
import { createPolicyMesh, type Manifest, type PolicyMesh } from "./policy-mesh.ts";

const PORT = 8080;
const OTHER_PORT = 80;
const ANSWER = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const LIMIT_MS = 300_000;

let world: PolicyMesh;
let authentication: Manifest;
/** Connections of the application that owe an answer. */
const owing: Socket[] = [];

beforeAll(async () => {
  const issuer = new TokenIssuer();
  await issuer.addKey("k1");
  authentication = {
    apiVersion: "weft.dev/v1",
    kind: "RequestAuthentication",
    metadata: { name: "tokens", namespace: "shop" },
    spec: { jwtRules: [{ issuer: "https://issuer.example", jwks: issuer.jwks() }] },
  };
  world = await createPolicyMesh("wt-becomes", { protocols: { 80: "", 8080: "" }, serve: answer });
  world.become(A);
}, LIMIT_MS);

beforeEach(() => {
  owing.length = 0;
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
}, LIMIT_MS);

/** At once, but `/slow`. */
function answer(socket: Socket): void {
  socket.on("data", (chunk: Buffer) => {
    if (chunk.includes("/slow")) owing.push(socket);
    else socket.write(ANSWER);
  });
  socket.on("end", () => socket.end());
}

/** Beside the Service that says nothing. */
function declared(appProtocol: string): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "declares", namespace: "shop" },
    spec: {
      clusterIP: "10.96.0.11",
      clusterIPs: ["10.96.0.11"],
      selector: { app: "api" },
      ports: [{ name: "web", port: PORT, targetPort: PORT, protocol: "TCP", appProtocol }],
    },
  };
}

function denyDelete(principal: string, ports: readonly string[] = []): Manifest {
  const operation = { methods: ["DELETE"], ...(ports.length > 0 ? { ports } : {}) };
  const rule = { from: [{ source: { principals: [principal] } }], to: [{ operation }] };
  return {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "never-delete", namespace: "shop" },
    spec: { action: "DENY", rules: [rule] },
  };
}

function request(target: string): string {
  return requestText({ target }).replace("connection: close", "connection: keep-alive");
}

/** A connection on which a request was answered, and another may be sent. */
async function openTo(port: number): Promise<Socket> {
  const socket = startFromPod(world.mesh.network.a, world.mesh.network.b.v4, port);
  socket.on("error", () => undefined).write(request("/"));
  expect(await nextText(socket)).toContain("200 OK");
  return socket;
}

/** The code of the called node's line of the next connection that ends. */
async function codeOfNext(change: () => void): Promise<string> {
  const ended = world.mesh.b.nextEnded();
  change();
  return (await ended).outcome.code;
}

/** However it ends. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** It is closed then. */
async function answerOn(socket: Socket): Promise<string> {
  socket.write(request("/"));
  const text = await nextText(socket);
  socket.destroy();
  return text;
}

const becomes: [string, () => readonly Manifest[], () => readonly Manifest[]][] = [
  [
    "a RequestAuthentication comes",
    () => [declared("http")],
    () => [declared("http"), authentication],
  ],
  [
    "a Service comes to declare it",
    () => [authentication],
    () => [authentication, declared("http")],
  ],
  ["a policy names it, about somebody else", () => [], () => [denyDelete(B, [`${PORT}`])]],
];

for (const [name, before, after] of becomes) {
  test(`a port becomes HTTP: ${name}, and what is open unjudged is closed, on that port alone`, async () => {
    world.rule(before());
    const other = await openTo(OTHER_PORT);
    const opaque = await openTo(PORT);
    const closed = closeOf(opaque);
    expect(await codeOfNext(() => world.rule(after()))).toBe("port_protocol_changed");
    await closed;
    expect(await answerOn(other)).toContain("200 OK");
    expect(await answerOn(await openTo(PORT))).toContain("200 OK");
  });
}

test("a port becomes HTTP: what was opened since stays open through changes that leave it HTTP", async () => {
  world.rule([declared("http"), authentication]);
  const served = await openTo(PORT);
  world.rule([declared("http"), denyDelete(B, [`${PORT}`])]);
  expect(await answerOn(served)).toContain("200 OK");
});

test("a port is HTTP no more: a connection that serves nothing ends in order", async () => {
  world.rule([declared("http"), authentication]);
  const served = await openTo(PORT);
  const heard = once(served, "end");
  const code = codeOfNext(() => world.rule([declared("http")]));
  await heard;
  served.end();
  expect(await code).toBe("");
});

test("a port is HTTP no more: a request that runs gets its answer, and no other begins", async () => {
  world.rule([declared("http"), authentication]);
  const served = await openTo(PORT);
  served.write(request("/slow"));
  while (owing.length === 0) await new Promise((resolve) => setImmediate(resolve));
  world.rule([declared("tcp"), authentication]);
  const heard = Promise.all([nextText(served), once(served, "end")]);
  owing[0]?.write(ANSWER);
  const [text] = await heard;
  expect(text).toContain("200 OK");
  served.destroy();
});

test("a port is HTTP no more: it ends at once where nobody could see any more what policy asks for", async () => {
  world.rule([declared("http"), denyDelete(A)]);
  const served = await openTo(PORT);
  const closed = closeOf(served);
  const code = await codeOfNext(() => world.rule([declared("tcp"), denyDelete(A)]));
  expect(code).toBe("denied_by_policy");
  await closed;
});
