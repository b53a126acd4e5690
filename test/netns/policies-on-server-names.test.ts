/**
 * Policies about the server that a caller's TLS names, as a user writes them, through the operator's index and two node
 * proxies, to an application that ends TLS itself.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { connect, createServer, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { helloOf } from "../fakes/client-hello.ts";
import { createCraftedRoot, dnsName } from "../fakes/crafted-ca.ts";
import { A } from "../policy-language.ts";
import { nextText, startFromPod } from "./pod-network.ts";
import { createPolicyMesh, type Manifest, outcomeOf, type PolicyMesh } from "./policy-mesh.ts";

const TLS_PORT = 8080;
const OPAQUE_PORT = 80;
const LIMIT_MS = 120_000;
const BULK = Buffer.alloc(2 << 20, "from end to end; ");

let world: PolicyMesh;
/** It waits for the caller's TLS, or greets. */
let isServerFirst = false;

const application = createTlsApplication();

function createTlsApplication() {
  const { chainPem, keyPem } = createCraftedRoot().issue({ names: [dnsName("api.shop")] });
  // It says whom it was called by name, and then all that it hears.
  return createServer({ cert: chainPem, key: keyPem }, (socket) => {
    socket.on("error", () => undefined);
    socket.write(`${socket.servername || "nobody"}\n`);
    socket.pipe(socket);
  }).on("tlsClientError", () => undefined);
}

beforeAll(async () => {
  world = await createPolicyMesh("wt-names", {
    protocols: { [OPAQUE_PORT]: "tcp", [TLS_PORT]: "https" },
    serve: (socket) => {
      if (isServerFirst) socket.write("hello");
      else application.emit("connection", socket);
    },
  });
}, LIMIT_MS);

beforeEach(() => {
  isServerFirst = false;
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
}, LIMIT_MS);

function policy(name: string, action: string, condition: object): Manifest {
  return {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name, namespace: "shop" },
    spec: {
      action,
      rules: [{ when: [{ key: "connection.sni", ...condition }] }],
    },
  };
}

const ALLOW_API = policy("allow-api", "ALLOW", { values: ["api.shop", "*.api.shop"] });
const DENY_ADMIN = policy("deny-admin", "DENY", { values: ["admin.shop"] });
const ALLOW_NOT_ADMIN = policy("allow-others", "ALLOW", { notValues: ["admin.shop"] });

const DENY_ALL: Manifest = {
  ...DENY_ADMIN,
  metadata: { name: "closed", namespace: "shop" },
  spec: { action: "DENY", rules: [{}] },
};

function start(port = TLS_PORT, family: 4 | 6 = 4): Socket {
  const { a, b } = world.mesh.network;
  const socket = startFromPod(a, family === 4 ? b.v4 : b.v6, port);
  return socket.on("error", () => undefined);
}

function startTls(servername: string, family: 4 | 6 = 4): TLSSocket {
  const socket = start(TLS_PORT, family);
  const name = servername === "" ? {} : { servername };
  const caller = connect({ ...name, socket, rejectUnauthorized: false });
  return caller.on("error", () => undefined);
}

/** What comes of a call of that name: `permit` once the application has answered in TLS, else the code. */
async function outcomeOfName(servername: string, family: 4 | 6 = 4): Promise<string> {
  return outcomeOf(world.mesh, () => startTls(servername, family));
}

/** However it ends. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

const callers: [string, string | undefined][] = [
  ["through a tunnel", A],
  ["in plaintext", undefined],
];

for (const [way, peer] of callers) {
  test(`connection.sni ${way}: the name that is allowed passes, and every octet in order`, async () => {
    world.become(peer);
    world.rule([ALLOW_API]);
    for (const family of [4, 6] as const) {
      const caller = startTls("api.shop", family);
      const chunks: Buffer[] = [];
      caller.on("data", (chunk: Buffer) => chunks.push(chunk));
      const ended = once(caller, "end");
      caller.end(BULK);
      await ended;
      const expected = Buffer.concat([Buffer.from("api.shop\n"), BULK]);
      expect(Buffer.concat(chunks).equals(expected)).toBe(true);
    }
  });

  test(`connection.sni ${way}: other names are refused before the application sees anything`, async () => {
    world.become(peer);
    world.rule([ALLOW_API]);
    const { length } = world.accepted;
    expect(await outcomeOfName("other.shop")).toBe("not_allowed");
    expect(await outcomeOfName("")).toBe("not_allowed");
    expect(world.accepted).toHaveLength(length);
    expect(await outcomeOfName("v2.api.shop")).toBe("permit");
    expect(await outcomeOfName("API.shop", 6)).toBe("permit");
  });

  test(`connection.sni ${way}: DENY refuses its name alone`, async () => {
    world.become(peer);
    world.rule([DENY_ADMIN]);
    expect(await outcomeOfName("admin.shop")).toBe("denied_by_policy");
    expect(await outcomeOfName("api.shop")).toBe("permit");
    expect(await outcomeOfName("")).toBe("permit");
  });

  test(`connection.sni ${way}: TLS that names nobody is none of the names that are excepted`, async () => {
    world.become(peer);
    world.rule([ALLOW_NOT_ADMIN]);
    expect(await outcomeOfName("")).toBe("permit");
    expect(await outcomeOfName("admin.shop")).toBe("not_allowed");
  });

  test(`connection.sni ${way}: what is no TLS has no name: no ALLOW matches, and DENY is wider`, async () => {
    world.become(peer);
    for (const [rule, code] of [
      [ALLOW_API, "not_allowed"],
      [ALLOW_NOT_ADMIN, "not_allowed"],
      [DENY_ADMIN, "denied_by_policy"],
    ] as const) {
      world.rule([rule]);
      const { length } = world.accepted;
      const ended = world.mesh.b.nextEnded();
      const caller = start();
      const closed = closeOf(caller);
      caller.write("GET / HTTP/1.1\r\nhost: api.shop\r\n\r\n");
      expect((await ended).outcome).toMatchObject({ code, carried: false });
      await closed;
      expect(world.accepted).toHaveLength(length);
    }
  });

  test(`connection.sni ${way}: what is no TLS passes by a rule that does not ask for a name`, async () => {
    world.become(peer);
    isServerFirst = true;
    const anybody = { to: [{ operation: { ports: [`${TLS_PORT}`] } }] };
    const open: Manifest = {
      ...ALLOW_API,
      metadata: { name: "open", namespace: "shop" },
      spec: { rules: [anybody] },
    };
    world.rule([ALLOW_API, open]);
    const caller = start();
    caller.write("no TLS");
    expect(await nextText(caller)).toBe("hello");
    const [accepted] = world.accepted.slice(-1);
    if (!accepted) throw new Error("nothing accepted");
    expect(await nextText(accepted)).toBe("no TLS");
    accepted.end();
    caller.end();
    await closeOf(caller);
  });

  test(`connection.sni ${way}: a hello that comes octet by octet is heard as a whole one`, async () => {
    world.become(peer);
    world.rule([ALLOW_API]);
    const hello = await helloOf({ servername: "api.shop", rejectUnauthorized: false });
    const caller = start();
    await once(caller, "connect");
    caller.setNoDelay(true);
    for (const octet of hello) {
      caller.write(Buffer.from([octet]));
      await setImmediate();
    }
    const [answer] = (await once(caller, "data")) as [Buffer];
    // A handshake: its ServerHello.
    expect(answer[0]).toBe(22);
    const ended = world.mesh.b.nextEnded();
    caller.resetAndDestroy();
    expect((await ended).facts.attempt).toMatchObject({ sni: "api.shop" });
  });

  test(`connection.sni ${way}: a change reaches the open connections of a name that it denies`, async () => {
    world.become(peer);
    world.rule([ALLOW_NOT_ADMIN]);
    const [api, other] = [startTls("api.shop"), startTls("other.shop")];
    expect(await nextText(api)).toBe("api.shop\n");
    expect(await nextText(other)).toBe("other.shop\n");
    const ended = world.mesh.b.nextEnded();
    const closed = closeOf(other);
    world.rule([ALLOW_API]);
    expect((await ended).outcome).toMatchObject({ code: "not_allowed", carried: true });
    await closed;
    api.write("still");
    expect(await nextText(api)).toBe("still");
    const over = world.mesh.b.nextEnded();
    world.rule([DENY_ALL]);
    expect((await over).facts.attempt).toMatchObject({ sni: "api.shop" });
  });
}

test("connection.sni: a port that is not declared as TLS is not read: no ALLOW matches there", async () => {
  world.become(A);
  world.rule([ALLOW_API]);
  expect(await outcomeOf(world.mesh, () => start(OPAQUE_PORT))).toBe("not_allowed");
});

test("connection.sni: a port of TLS is not read while no policy asks: its server may speak first", async () => {
  world.become(A);
  isServerFirst = true;
  world.rule([]);
  const caller = start();
  expect(await nextText(caller)).toBe("hello");
  const ended = world.mesh.b.nextEnded();
  caller.resetAndDestroy();
  expect((await ended).facts.attempt).not.toHaveProperty("sni");
});

test("connection.sni: a refusal is counted and logged with the name that decided", async () => {
  world.become(A);
  world.rule([ALLOW_API]);
  const ended = world.mesh.b.nextEnded();
  startTls("other.shop");
  const { facts, outcome } = await ended;
  expect(outcome).toMatchObject({ code: "not_allowed", carried: false });
  expect(facts.attempt).toMatchObject({ sni: "other.shop" });
  expect(await world.mesh.b.metrics()).toMatch(/"not_allowed"/);
});
