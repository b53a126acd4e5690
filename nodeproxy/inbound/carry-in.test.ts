/** Inbound connections whose TLS is asked which server it names, between a caller and an application on loopback. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { CompiledPolicy, Rule } from "../../core/model/authorization-policy.ts";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import type { MtlsMode } from "../../core/model/mtls-modes.ts";
import { type ResourceBody, resourceName } from "../../core/model/resource.ts";
import { helloMessage, recordsOf, serverNames } from "../../test/fakes/client-hello.ts";
import type { Told } from "../ext-authz/authorizers.ts";
import { NO_PARTY } from "../flow/connection-facts.ts";
import { Connections } from "../flow/connections.ts";
import { PodSlots } from "../flow/pod-slots.ts";
import { resetSide, type TcpSide } from "../flow/side.ts";
import { Current } from "../state/current.ts";
import { libc } from "../sys/libc.ts";
import { createRawServer } from "../tcp/accept.ts";
import { carryIn } from "./carry-in.ts";
import type { InboundPod } from "./inbound-pod.ts";
import { Judge } from "./judge.ts";

const AF_INET = 2;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 0o2004001;
const HELLO = helloOfName("api.shop");
const FORBIDDEN = helloOfName("admin.shop");

let current: Current;
let judge: Judge;
let connections: Connections;
let slots: PodSlots;
let application: Server;
let listener: Server;
/** What became of calls: how they were answered, and how they ended. */
const said: string[] = [];
const ended: string[] = [];
const waiting: (() => void)[] = [];
const open: { destroy(): unknown }[] = [];
/** What the authorizer was asked, and what it says. */
const asked: string[] = [];
let told: Told["answer"] = "permit";

function helloOfName(name: string): Buffer {
  return recordsOf(helloMessage([serverNames(name)]));
}

function policy(action: CompiledPolicy["action"], name: string): CompiledPolicy {
  const when: Rule["when"] = [
    { key: "connection.sni", values: [{ kind: "exact", value: name }], notValues: [] },
  ];
  const rules = [{ index: 0, from: [], to: [], when }];
  const provider = action === "CUSTOM" ? { provider: "opa" } : {};
  return { ref: "shop/names", action, dryRun: false, invalid: false, ...provider, rules };
}

function applicationPort(): number {
  return (application.address() as AddressInfo).port;
}

function put(...bodies: readonly ResourceBody[]): void {
  const upserts = bodies.map((body) => ({ name: resourceName(body), version: "1", body }));
  current.apply({ upserts, removals: [] });
  judge.refresh(new Set(["shop/names"]));
}

function rule(ruling: CompiledPolicy, mode: MtlsMode = "PERMISSIVE"): void {
  const value = {
    uid: "uid",
    namespace: "shop",
    name: "api",
    serviceAccount: "api",
    addresses: ["127.0.0.1"],
    netnsPath: "",
    policies: [ruling.ref],
    modes: { default: mode, ports: [] },
    tlsPorts: [applicationPort()],
    probes: [],
    nodeAddresses: [],
    exclusions: NOTHING_EXCLUDED,
    owner: "api",
    zone: "",
  };
  put({ kind: "enrolment", value }, { kind: "policy", value: ruling });
}

beforeEach(async () => {
  for (const list of [said, ended, asked]) list.length = 0;
  told = "permit";
  current = new Current();
  judge = new Judge(current);
  connections = new Connections({
    onConnectionOpened: () => undefined,
    onRequestEnded: () => undefined,
    onConnectionEnded: ({ attempt }, { code }) => {
      ended.push(`${attempt?.sni ?? "unheard"}: ${code}`);
      for (const wake of waiting.splice(0)) wake();
    },
  });
  slots = new PodSlots(1);
  // It says what it hears.
  application = createServer({ allowHalfOpen: true }, (socket) => {
    open.push(socket.on("error", () => undefined));
    socket.pipe(socket);
  });
  listener = createRawServer(take);
  for (const server of [application, listener]) {
    await once(server.listen(0, "127.0.0.1"), "listening");
  }
  const provider = {
    name: "opa",
    service: "shop/opa",
    port: 9191,
    timeoutMs: 1_000,
    failOpen: false,
    statusOnError: 403,
    protocol: { kind: "grpc" },
  } as const;
  put({
    kind: "settings",
    value: {
      trustDomain: "cluster.local",
      trustDomainAliases: [],
      leafLifetimeSeconds: 86_400,
      accessLog: true,
      outboundPolicy: "ALLOW_ANY",
      authorizationProviders: [provider],
    },
  });
});

afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await connections.drained();
  for (const server of [application, listener]) await once(server.close(), "close");
});

function podOf(): InboundPod {
  return {
    uid: "uid",
    connections,
    judge,
    exchanges: judge.exchanges,
    slots,
    tunnelSlots: new PodSlots(1),
    authorizers: {
      termsOf: () => "terms",
      ask: async (provider) => {
        asked.push(provider);
        return { answer: told, said: told === "permit" ? "permitted" : "denied", terms: "terms" };
      },
    },
    authenticate: () => Promise.reject(new Error("of no request")),
    tracer: () => undefined,
    trustedProxies: () => 0,
    admit: () => ({ isRefused: false, applied: [], elsewhere: [] }),
    rateService: { ask: () => Promise.reject(new Error("of no request")) },
    enrolment: () => current.enrolment("uid"),
    party: () => NO_PARTY,
    partyAt: () => NO_PARTY,
    callerUid: () => "",
    openSocket: () => libc.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0),
  };
}

function take(front: TcpSide): void {
  open.push(front);
  carryIn({
    pod: podOf(),
    front,
    peer: undefined,
    sourceAddress: "127.0.0.1",
    sourcePort: front.remotePort ?? 0,
    address: "127.0.0.1",
    port: applicationPort(),
    answer: () => void said.push("answered"),
    refuse: (failure) => {
      said.push(failure);
      resetSide(front);
    },
  });
}

async function call(): Promise<Socket> {
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  open.push(socket.on("error", () => undefined));
  const known = said.length;
  while (said.length === known) await setImmediate();
  return socket;
}

/** However it ends. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

async function endOfNext(): Promise<string> {
  await new Promise<void>((resolve) => {
    waiting.push(resolve);
  });
  return ended.at(-1) ?? "";
}

/** All that is said back, as many octets as were said. */
async function echoOf(socket: Socket, text: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let octets = 0;
  socket.write(text);
  while (octets < text.length) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    chunks.push(chunk);
    octets += chunk.length;
  }
  return Buffer.concat(chunks);
}

test("carryIn(): a port that is asked for its server is answered, heard, and carried with all that was said", async () => {
  rule(policy("ALLOW", "api.shop"));
  const caller = await call();
  expect(said).toEqual(["answered"]);
  const text = Buffer.concat([HELLO, Buffer.alloc(100_000, "more; ")]);
  expect((await echoOf(caller, text)).equals(text)).toBe(true);
  const end = endOfNext();
  caller.end();
  expect(await end).toBe("api.shop: ");
  expect(said).toEqual(["answered"]);
});

test("carryIn(): a name that may not come is reset, and its place given back", async () => {
  rule(policy("ALLOW", "api.shop"));
  for (const [words, outcome] of [
    [FORBIDDEN, "admin.shop: not_allowed"],
    [Buffer.from("no TLS"), "unheard: not_allowed"],
    [recordsOf(helloMessage([])), ": not_allowed"],
  ] as const) {
    const caller = await call();
    const end = endOfNext();
    const closed = closeOf(caller);
    caller.write(words);
    expect(await end).toBe(outcome);
    await closed;
  }
  expect(said).toEqual(["answered", "answered", "answered"]);
  const caller = await call();
  expect((await echoOf(caller, HELLO)).equals(HELLO)).toBe(true);
});

test("carryIn(): plaintext that STRICT refuses is refused before it is answered", async () => {
  rule(policy("ALLOW", "api.shop"), "STRICT");
  const end = endOfNext();
  await call();
  expect(await end).toBe("unheard: plaintext_refused");
  expect(said).toEqual(["denied"]);
});

test("carryIn(): who is listened to takes a place, and stopping waits for it", async () => {
  rule(policy("ALLOW", "api.shop"));
  const first = await call();
  let isDrained = false;
  const drained = connections.drained().then(() => {
    isDrained = true;
  });
  const late = endOfNext();
  await call();
  expect(await late).toBe("unheard: pod_connections_exhausted");
  expect([said, isDrained]).toEqual([["answered", "unreachable"], false]);
  first.write(HELLO.subarray(0, 20));
  const gone = endOfNext();
  first.resetAndDestroy();
  expect(await gone).toBe("unheard: caller_gone");
  await drained;
  const next = await call();
  expect((await echoOf(next, HELLO)).equals(HELLO)).toBe(true);
});

test("carryIn(): it is decided by the policies of when the name is heard", async () => {
  rule(policy("ALLOW", "api.shop"));
  const caller = await call();
  const end = endOfNext();
  rule(policy("ALLOW", "other.shop"));
  caller.write(HELLO);
  expect(await end).toBe("api.shop: not_allowed");
});

test("carryIn(): an open connection keeps its name for the policies that come later", async () => {
  rule(policy("ALLOW", "api.shop"));
  const caller = await call();
  await echoOf(caller, HELLO);
  rule(policy("DENY", "admin.shop"));
  expect(connections.recheck((facts) => judge.recheck(facts))).toBe(0);
  const end = endOfNext();
  rule(policy("DENY", "api.shop"));
  expect(connections.recheck((facts) => judge.recheck(facts))).toBe(1);
  expect(await end).toBe("api.shop: denied_by_policy");
});

test("carryIn(): an authorizer is asked about the names that its policy is about, and about no others", async () => {
  rule(policy("CUSTOM", "admin.shop"));
  const api = await call();
  expect((await echoOf(api, HELLO)).equals(HELLO)).toBe(true);
  expect(asked).toEqual([]);
  const closed = endOfNext();
  api.end();
  await closed;
  const admin = await call();
  expect((await echoOf(admin, FORBIDDEN)).equals(FORBIDDEN)).toBe(true);
  expect(asked).toEqual(["opa"]);
  const over = endOfNext();
  admin.end();
  await over;
  told = "deny";
  const end = endOfNext();
  const denied = await call();
  denied.write(FORBIDDEN);
  expect(await end).toBe("admin.shop: denied_by_provider");
});
