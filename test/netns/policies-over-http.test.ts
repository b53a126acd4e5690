/**
 * Policies with HTTP attributes on real requests: from the object as written, through the operator's index and two node
 * proxies, to an application that says what it has seen. Names in brackets are the design's case ids.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { TokenIssuer } from "../fakes/token-issuer.ts";
import { A } from "../policy-language.ts";
import { ask, type RawAnswer, type RawRequest, readAnswer, requestText } from "./http-requests.ts";
import { startFromPod } from "./pod-network.ts";
import { createPolicyMesh, type Manifest, type PolicyMesh } from "./policy-mesh.ts";

const START_MS = 30_000;
let world: PolicyMesh;
const issuer = new TokenIssuer();
const ISSUER = "https://issuer.example";
let application: Server;
const issuedCalls: ClientHttp2Session[] = [];
/** Answers every call. */
const grpc = createHttp2Server();
grpc.on("stream", (stream: ServerHttp2Stream) => {
  stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "0" });
  stream.end();
});
/** What the application was asked, oldest first. */
const seen: IncomingMessage[] = [];

beforeAll(async () => {
  await issuer.addKey("k1");
  application = createServer((request, response) => {
    seen.push(request);
    response.end(`seen ${request.url}`);
  });
  application.on("upgrade", (request, socket) => {
    seen.push(request);
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    );
    socket.pipe(socket);
  });
  world = await createPolicyMesh("wl-http", {
    protocols: { 80: "grpc", 8080: "http" },
    serve: (socket) => {
      (socket.localPort === 80 ? grpc : application).emit("connection", socket);
    },
  });
  world.become(A);
}, START_MS);

beforeEach(() => {
  seen.length = 0;
});

afterAll(async () => {
  issuedCalls.forEach((session) => session.destroy());
  application.closeAllConnections();
  await world[Symbol.asyncDispose]();
}, START_MS);

function policy(action: string, ...rules: readonly object[]): Manifest {
  const metadata = { name: `p-${action.toLowerCase()}`, namespace: "shop" };
  return {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata,
    spec: { action, rules },
  };
}

function operation(fields: object): object {
  return { to: [{ operation: fields }] };
}

function connect(): Socket {
  return startFromPod(world.mesh.network.a, world.mesh.network.b.v4, 8080);
}

async function send(request: RawRequest): Promise<RawAnswer> {
  return ask(connect(), requestText(request));
}

async function verdict(request: RawRequest): Promise<string> {
  const { status, reason } = await send(request);
  return reason === "" ? String(status) : `${status} ${reason}`;
}

const DENIED = "403 denied_by_policy";
const NOT_ALLOWED = "403 not_allowed";
const ADMIN = policy("DENY", operation({ paths: ["/admin", "/admin/*"] }));

type HttpCase = readonly [
  name: string,
  objects: readonly Manifest[],
  request: RawRequest,
  expected: string,
];

const cases: readonly HttpCase[] = [
  ["[D1] a path", [ADMIN], { target: "/admin" }, DENIED],
  ["[D1] and no other", [ADMIN], { target: "/public" }, "200"],
  ["[D1] the query is no part of it", [ADMIN], { target: "/admin?x=1" }, DENIED],
  ["[D2] a prefix", [ADMIN], { target: "/admin/users" }, DENIED],
  ["[D2] ends where it is written", [ADMIN], { target: "/administer" }, "200"],
  [
    "[D3] a suffix",
    [policy("DENY", operation({ paths: ["*.bak"] }))],
    { target: "/a/b.bak" },
    DENIED,
  ],
  [
    "[D4] {*} is one segment",
    [policy("ALLOW", operation({ paths: ["/a/{*}/c"] }))],
    { target: "/a/b/c" },
    "200",
  ],
  [
    "[D4] and not two",
    [policy("ALLOW", operation({ paths: ["/a/{*}/c"] }))],
    { target: "/a/b/b/c" },
    NOT_ALLOWED,
  ],
  [
    "[D4] {**} is any",
    [policy("ALLOW", operation({ paths: ["/a/{**}"] }))],
    { target: "/a/b/b/c" },
    "200",
  ],
  [
    "[D5] slashes and dots are read as the application will",
    [ADMIN],
    { target: "//x/..//admin" },
    DENIED,
  ],
  ["[D5] encoded letters too", [ADMIN], { target: "/%61dmin" }, DENIED],
  [
    "[D6] what is read in two ways is refused",
    [ADMIN],
    { target: "/x%2fadmin" },
    "400 path_encoded_slash",
  ],
  ["[D6] parameters too", [ADMIN], { target: "/admin;a=b" }, "400 path_parameters"],
  [
    "[D7] hosts without regard to case",
    [policy("DENY", operation({ hosts: ["api.shop"] }))],
    { host: "API.Shop" },
    DENIED,
  ],
  [
    "[D7] with a port",
    [policy("DENY", operation({ hosts: ["api.shop"] }))],
    { host: "api.shop:8080" },
    DENIED,
  ],
  [
    "[D7] another host",
    [policy("DENY", operation({ hosts: ["api.shop"] }))],
    { host: "web.shop" },
    "200",
  ],
  [
    "[D8] a header",
    [policy("DENY", { when: [{ key: "request.headers[x-role]", values: ["admin"] }] })],
    { lines: ["X-Role: admin"] },
    DENIED,
  ],
  [
    "[D8] any of its lines",
    [policy("DENY", { when: [{ key: "request.headers[x-role]", values: ["admin"] }] })],
    { lines: ["x-role: user", "x-role: admin"] },
    DENIED,
  ],
  [
    "[D8] under the name that servers confuse with it",
    [policy("DENY", { when: [{ key: "request.headers[x-role]", values: ["admin"] }] })],
    { lines: ["x_role: admin"] },
    DENIED,
  ],
  [
    "[D8] notValues on a missing header",
    [policy("DENY", { when: [{ key: "request.headers[x-role]", notValues: ["user"] }] })],
    {},
    DENIED,
  ],
  [
    "[D8] present",
    [policy("ALLOW", { when: [{ key: "request.headers[x-role]", values: ["*"] }] })],
    { lines: ["x-role: a"] },
    "200",
  ],
  [
    "a method",
    [policy("ALLOW", operation({ methods: ["GET"] }))],
    { method: "POST", lines: ["content-length: 0"] },
    NOT_ALLOWED,
  ],
  [
    "a method in lower case is none",
    [policy("DENY", operation({ methods: ["DELETE"] }))],
    { method: "delete" },
    "501 method_unknown",
  ],
  [
    "the caller and the method",
    [
      policy("ALLOW", {
        from: [{ source: { principals: [A] } }],
        ...operation({ methods: ["GET"] }),
      }),
    ],
    {},
    "200",
  ],
  [
    "[D16] without trusted proxies the direct peer is who asked",
    [policy("DENY", { from: [{ source: { remoteIpBlocks: ["1.2.3.4"] } }] })],
    { lines: ["x-forwarded-for: 1.2.3.4"] },
    "200",
  ],
  [
    "[D16] and its address is what policies see",
    [policy("DENY", { from: [{ source: { remoteIpBlocks: ["10.77.0.0/24"] } }] })],
    { lines: ["x-forwarded-for: 1.2.3.4"] },
    DENIED,
  ],
];

for (const [name, objects, request, expected] of cases) {
  test(`requests: ${name}`, async () => {
    world.rule(objects);
    const got = await verdict(request);
    expect(got.startsWith(expected) ? expected : got).toBe(expected);
    expect(seen).toHaveLength(expected === "200" ? 1 : 0);
  });
}

test("requests: a denial is 403 with its code, told in the log with what was asked for", async () => {
  world.rule([ADMIN]);
  const { status, reason, body } = await send({ target: "/admin?token=s3cret" });
  expect({ status, reason, body }).toEqual({
    status: 403,
    reason: "denied_by_policy",
    body: "RBAC: access denied",
  });
  const logged = world.mesh.b.ended.findLast(({ facts }) => facts.request !== undefined);
  expect(logged?.outcome).toMatchObject({
    code: "denied_by_policy",
    policy: "shop/p-deny",
    rule: 0,
  });
  expect(logged?.facts.request).toMatchObject({ method: "GET", path: "/admin", status: 403 });
});

test("requests: [D13] each request of one connection is judged by itself", async () => {
  world.rule([ADMIN]);
  const socket = connect();
  const [first, second] = [requestText({ target: "/ok" }), requestText({ target: "/admin" })];
  const { head, body } = await ask(socket, first.replace("close", "keep-alive") + second);
  expect(head).toMatch(/^HTTP\/1\.1 200/);
  expect(readAnswer(body.slice(body.indexOf("HTTP/1.1"))).reason).toBe("denied_by_policy");
  expect(seen.map(({ url }) => url)).toEqual(["/ok"]);
});

test("requests: [D14] a WebSocket is asked for as any request", async () => {
  world.rule([policy("DENY", operation({ paths: ["/chat"] }))]);
  const lines = ["upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: AAAA"];
  function upgrade(target: string): string {
    return requestText({ target, lines }).replace("connection: close", "connection: upgrade");
  }
  const refused = connect();
  refused.write(upgrade("/chat"));
  const [refusal] = (await once(refused, "data")) as [Buffer];
  expect(readAnswer(refusal.toString()).reason).toBe("denied_by_policy");
  refused.destroy();
  const socket = connect();
  socket.write(upgrade("/other"));
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 101/);
  socket.write("hello");
  const [echo] = (await once(socket, "data")) as [Buffer];
  expect(echo.toString()).toBe("hello");
  // [G1] An open one is ended by a new denial.
  const closed = once(socket, "error");
  world.rule([policy("DENY", operation({ paths: ["/other"] }))]);
  await closed;
});

async function call(path: string): Promise<IncomingHttpHeaders> {
  const socket = startFromPod(world.mesh.network.a, world.mesh.network.b.v4, 80);
  const session = connectHttp2("http://api.shop", { createConnection: () => socket });
  issuedCalls.push(session);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  const [headers] = (await once(stream.end(), "response")) as [IncomingHttpHeaders];
  session.close();
  return headers;
}

test("requests: [D15] a denied gRPC call is told PERMISSION_DENIED", async () => {
  world.rule([policy("DENY", operation({ paths: ["/shop.Orders/Delete"] }))]);
  expect(await call("/shop.Orders/List")).toMatchObject({ "grpc-status": "0" });
  expect(await call("/shop.Orders/Delete")).toMatchObject({
    ":status": 200,
    "grpc-status": "7",
    "x-weft-reason": "denied_by_policy",
  });
});

function authentication(spec: object = {}): Manifest {
  const jwtRules = [{ issuer: ISSUER, jwks: issuer.jwks(), ...spec }];
  const metadata = { name: "tokens", namespace: "shop" };
  return { apiVersion: "weft.dev/v1", kind: "RequestAuthentication", metadata, spec: { jwtRules } };
}

async function bearer(claims: object = {}): Promise<readonly string[]> {
  return [
    `authorization: Bearer ${await issuer.sign({ iss: ISSUER, sub: "ann", exp: 4_000_000_000, ...claims })}`,
  ];
}

function requester(...requestPrincipals: readonly string[]): Manifest {
  return policy("ALLOW", { from: [{ source: { requestPrincipals } }] });
}

test("requests: [D10] no token passes, an invalid one is 401 before policy is asked", async () => {
  world.rule([authentication(), ADMIN]);
  expect(await verdict({})).toBe("200");
  expect(await verdict({ lines: await bearer() })).toBe("200");
  seen.length = 0;
  expect(await verdict({ target: "/admin", lines: ["authorization: Bearer a.b.c"] })).toBe(
    "401 token_malformed",
  );
  expect(await verdict({ lines: await bearer({ iss: "https://other.example" }) })).toBe(
    "401 issuer_unknown",
  );
  expect(seen).toEqual([]);
});

test("requests: [D11] a principal is asked for by issuer and subject", async () => {
  world.rule([authentication(), requester(`${ISSUER}/ann`)]);
  expect(await verdict({ lines: await bearer() })).toBe("200");
  expect(await verdict({ lines: await bearer({ sub: "bob" }) })).toBe(NOT_ALLOWED);
  expect(await verdict({})).toBe(NOT_ALLOWED);
});

test("requests: [D9] claims are lists or texts, and scope is a list written with spaces", async () => {
  const when = [{ key: "request.auth.claims[scope]", values: ["write"] }];
  world.rule([authentication(), policy("ALLOW", { when })]);
  expect(await verdict({ lines: await bearer({ scope: "read write" }) })).toBe("200");
  expect(await verdict({ lines: await bearer({ scope: ["write"] }) })).toBe("200");
  expect(await verdict({ lines: await bearer({ scope: "read" }) })).toBe(NOT_ALLOWED);
});

test("requests: the token stays here, its claims go on, and nobody else writes them", async () => {
  const outputClaimToHeaders = [{ header: "x-user", claim: "sub" }];
  world.rule([authentication({ outputClaimToHeaders })]);
  await send({ lines: [...(await bearer()), "x-user: root", "x_user: root"] });
  await send({ lines: ["x-user: root"] });
  expect(seen.map(({ headers }) => headers["x-user"])).toEqual(["ann", undefined]);
  expect(seen[0]?.headers["authorization"]).toBeUndefined();
  expect(seen[0]?.rawHeaders).not.toContain("x_user");
});
