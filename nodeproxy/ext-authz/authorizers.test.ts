import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { AuthorizationProvider } from "../../core/model/authorization-provider.ts";
import { ExternalAuthorizer } from "../../test/fakes/external-authorizer.ts";
import { Authorizers } from "./authorizers.ts";
import type { Question } from "./check-message.ts";

const CALLER = "spiffe://cluster.local/ns/shop/sa/a";
const CALLED = "spiffe://cluster.local/ns/shop/sa/b";
const QUESTION: Question = {
  source: { address: "10.0.0.1", port: 40_000, principal: CALLER },
  destination: { address: "fd00::2", port: 8080, principal: CALLED },
  atMs: 1_234,
};
const OPA: AuthorizationProvider = {
  name: "opa",
  service: "shop/opa",
  port: 9191,
  timeoutMs: 10_000,
  failOpen: false,
  statusOnError: 403,
  protocol: { kind: "grpc" },
};
/** For questions that are never answered. */
const SHORT = { timeoutMs: 50 };

let authorizer: ExternalAuthorizer;
let server: Server;
let opened: Socket[];
let provider: AuthorizationProvider | undefined;
let authorizers: Authorizers;
/** What takes the connection. */
let take: (socket: Socket) => void;

beforeEach(async () => {
  authorizer = new ExternalAuthorizer();
  take = (socket) => authorizer.take(socket);
  opened = [];
  provider = OPA;
  server = createServer((socket) => {
    opened.push(socket);
    take(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  authorizers = new Authorizers({
    providerOf: (name) => (name === provider?.name ? provider : undefined),
    open,
  });
});

afterEach(async () => {
  authorizers.close();
  authorizer.dropConnections();
  for (const socket of opened) socket.destroy();
  await once(server.close(), "close");
});

async function open(): Promise<Socket> {
  const { port } = server.address() as { readonly port: number };
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  opened.push(socket);
  await once(socket, "connect");
  return socket;
}

async function said(part: Partial<AuthorizationProvider> = {}): Promise<string> {
  provider = { ...OPA, ...part };
  const told = await authorizers.ask("opa", QUESTION);
  return `${told.answer}: ${told.said}`;
}

test("ask(): a yes permits, a no denies, also where it fails open; one connection for all questions", async () => {
  expect(await said()).toBe("deny: denied");
  authorizer.welcome.add(CALLER);
  expect(await said()).toBe("permit: permitted");
  const many = await Promise.all(Array.from({ length: 20 }, () => said()));
  expect(new Set(many)).toEqual(new Set(["permit: permitted"]));
  expect(authorizer.connections).toBe(1);
  authorizer.welcome.clear();
  expect(await said({ failOpen: true })).toBe("deny: denied");
});

test("ask(): tells both ends with addresses, ports and proven identities, and the time", async () => {
  await said();
  const { attributes } = authorizer.questions[0] ?? {};
  expect(attributes).toMatchObject({
    source: { principal: CALLER },
    destination: { principal: CALLED },
    request: { time: { seconds: 1n, nanos: 234_000_000 } },
  });
  const ends = [attributes?.source, attributes?.destination].map((end) => end?.address?.address);
  expect(ends).toMatchObject([
    { value: { address: "10.0.0.1", portSpecifier: { value: 40_000 } } },
    { value: { address: "fd00::2", portSpecifier: { value: 8080 } } },
  ]);
});

test("ask(): who is not known, or speaks HTTP only, is not asked, and does not fail open", async () => {
  authorizer.welcome.add(CALLER);
  provider = undefined;
  expect(await authorizers.ask("opa", QUESTION)).toMatchObject({ answer: "deny", said: "unknown" });
  const http = {
    kind: "http",
    pathPrefix: "",
    requestHeaders: [],
    additionalHeaders: [],
    upstreamHeadersOnAllow: [],
    downstreamHeadersOnAllow: [],
    downstreamHeadersOnDeny: [],
  } as const;
  expect(await said({ protocol: http, failOpen: true })).toBe("deny: http_only");
  expect(authorizer.questions).toEqual([]);
});

for (const [failOpen, answer] of [
  [false, "deny"],
  [true, "permit"],
] as const) {
  test(`ask(): with failOpen ${failOpen}, what cannot be asked is ${answer}, with the reason`, async () => {
    authorizer.mood = "fails";
    expect(await said({ failOpen })).toBe(`${answer}: failed`);
    authorizer.mood = "empty";
    expect(await said({ failOpen })).toBe(`${answer}: failed`);
    authorizer.mood = "silent";
    expect(await said({ failOpen, ...SHORT })).toBe(`${answer}: timeout`);
    take = (socket) => socket.on("error", () => undefined).destroy();
    expect(await said({ failOpen, port: 1 })).toBe(`${answer}: unreachable`);
  });
}

test("ask(): an answer that says yes and no at once denies, also where it fails open", async () => {
  authorizer.mood = "contradicts";
  expect(await said({ failOpen: true })).toBe("deny: denied");
});

test("ask(): what takes the connection and does not answer, or speaks no HTTP/2, does not permit", async () => {
  take = (socket) => socket.on("error", () => undefined).resume();
  expect(await said(SHORT)).toBe("deny: timeout");
  const garbage = [
    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "\u0000\u0000\u0004\u0004\u0000\u0000\u0000\u0000\u0000grpc-status: 0",
    "x".repeat(70_000),
  ];
  for (const [i, text] of garbage.entries()) {
    take = (socket) => socket.on("error", () => undefined).end(text, "latin1");
    expect(await said({ port: 100 + i, timeoutMs: 2_000 })).toMatch(
      /^deny: (failed|unreachable|timeout)$/,
    );
  }
});

test("ask(): a provider that nobody can connect to is asked again at the next question", async () => {
  authorizer.welcome.add(CALLER);
  take = (socket) => socket.on("error", () => undefined).destroy();
  expect(await said()).toBe("deny: unreachable");
  take = (socket) => authorizer.take(socket);
  expect(await said()).toBe("permit: permitted");
});

test("ask(): the first question after an authorizer's restart is answered over a new connection", async () => {
  authorizer.welcome.add(CALLER);
  expect(await said()).toBe("permit: permitted");
  authorizer.dropConnections();
  expect(await said()).toBe("permit: permitted");
  expect(authorizer.connections).toBe(2);
});

test("ask(): a question that is lost with the connection is asked once more, and not for ever", async () => {
  expect(await said()).toBe("deny: denied");
  authorizer.mood = "silent";
  const lost = said();
  await authorizer.asked();
  authorizer.mood = "rules";
  authorizer.welcome.add(CALLER);
  authorizer.dropConnections();
  expect(await lost).toBe("permit: permitted");
});

test("ask(): after a question without an answer the next one goes over a new connection", async () => {
  authorizer.mood = "silent";
  expect(await said(SHORT)).toBe("deny: timeout");
  authorizer.mood = "rules";
  authorizer.welcome.add(CALLER);
  expect(await said()).toBe("permit: permitted");
  expect(authorizer.connections).toBe(2);
});

test("ask(): another Service behind the name is another connection, another timeout is not", async () => {
  await said();
  await said({ timeoutMs: 9_000 });
  expect(authorizer.connections).toBe(1);
  await said({ service: "shop/other" });
  expect(authorizer.connections).toBe(2);
});

test("close(): ends what is asked, and nobody is asked any more", async () => {
  expect(await said()).toBe("deny: denied");
  authorizer.mood = "silent";
  const asked = said();
  await authorizer.asked();
  authorizers.close();
  expect(await asked).toBe("deny: unreachable");
  authorizer.mood = "rules";
  authorizer.welcome.add(CALLER);
  expect(await said()).toBe("deny: unreachable");
});
