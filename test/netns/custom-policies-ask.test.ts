/**
 * CUSTOM policies on real connections: the authorizer is asked over gRPC, through the mesh, before a byte is carried;
 * and whatever becomes of the question, nobody gets through whom it has not let.
 */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { AuthorizationProvider } from "../../core/model/authorization-provider.ts";
import type { ResourceBody } from "../../core/model/resource.ts";
import { ExternalAuthorizer } from "../fakes/external-authorizer.ts";
import { until } from "../world/until.ts";
import { connectFromPod, isAnswered, listenInPod, nextText, startFromPod } from "./pod-network.ts";
import {
  createTrafficMesh,
  denyAll,
  enrolment,
  type LoggedConnection,
  type TrafficMesh,
  workload,
} from "./traffic-mesh.ts";

const APP = 8080;
const OTHER = 8081;
const AUTHORIZER = 9191;
const CALLER = "spiffe://cluster.local/ns/shop/sa/a";
const CALLED = "spiffe://cluster.local/ns/shop/sa/b";

let mesh: TrafficMesh;
let authorizer = new ExternalAuthorizer();
const servers: Server[] = [];
const accepted: Socket[] = [];

beforeAll(async () => {
  mesh = await createTrafficMesh("wj-custom");
  const { a, b } = mesh.network;
  for (const port of [APP, OTHER]) {
    servers.push(
      await listenInPod(b, { port, family: 4 }, (socket) => {
        accepted.push(socket);
        socket.on("error", () => undefined).write("hello");
        socket.on("end", () => socket.end()).resume();
      }),
    );
  }
  // The caller's pod runs the authorizer too: two pods are all there are.
  servers.push(
    await listenInPod(a, { port: AUTHORIZER, family: 4 }, (socket) => authorizer.take(socket)),
  );
});

beforeEach(() => {
  authorizer.dropConnections();
  authorizer = new ExternalAuthorizer();
  authorizer.welcome.add(CALLER);
  rule({ policies: [custom("opa")], providers: [provider("opa")] });
});

afterAll(async () => {
  authorizer.dropConnections();
  for (const socket of accepted) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

function provider(name: string, part: Partial<AuthorizationProvider> = {}): AuthorizationProvider {
  return {
    name,
    service: "shop/opa",
    port: AUTHORIZER,
    timeoutMs: 10_000,
    failOpen: false,
    statusOnError: 403,
    protocol: { kind: "grpc" },
    ...part,
  };
}

/** Asks that provider about port 8080. */
function custom(name: string): CompiledPolicy {
  const rule = { index: 0, from: [], to: [{ ports: [APP], notPorts: [] }], when: [] };
  const ref = `shop/ask-${name}`;
  return { ref, action: "CUSTOM", provider: name, dryRun: false, invalid: false, rules: [rule] };
}

interface Rules {
  readonly policies: readonly CompiledPolicy[];
  readonly providers: readonly AuthorizationProvider[];
}

function rule({ policies, providers }: Rules): void {
  const { a, b } = mesh.network;
  mesh.put(
    settings(providers),
    opaService(),
    opaEndpoint(a.v4),
    ...policies.map((value) => ({ kind: "policy" as const, value })),
    workload(a, "a", {}),
    workload(b, "b", {}),
    enrolment(a, "a", {}),
    enrolment(b, "b", { policies: policies.map(({ ref }) => ref) }),
  );
}

function settings(authorizationProviders: readonly AuthorizationProvider[]): ResourceBody {
  const value = {
    trustDomain: "cluster.local",
    trustDomainAliases: [],
    leafLifetimeSeconds: 86_400,
    accessLog: true,
    outboundPolicy: "ALLOW_ANY" as const,
    authorizationProviders,
  };
  return { kind: "settings", value };
}

function opaService(): ResourceBody {
  const value = {
    namespace: "shop",
    name: "opa",
    addresses: [],
    ports: [{ port: AUTHORIZER, name: "grpc", appProtocol: "" }],
    algorithm: "round_robin" as const,
    localOnly: false,
    distribution: "anywhere" as const,
    affinitySeconds: 0,
  };
  return { kind: "service", value };
}

function opaEndpoint(address: string): ResourceBody {
  const endpoint = { workload: "uid-a", node: "node-a", ready: true, draining: false, zone: "" };
  const value = {
    namespace: "shop",
    name: "opa-1",
    service: "opa",
    ports: [{ name: "grpc", port: AUTHORIZER }],
    endpoints: [{ ...endpoint, address, forZones: [], forNodes: [] }],
  };
  return { kind: "endpointSlice", value };
}

/** One call of a to b's port: whether it got through, and what b's node told of it. */
async function call(port = APP): Promise<{ isCarried: boolean; told: LoggedConnection }> {
  const seen = accepted.length;
  const ended = calledEnded();
  const socket = startFromPod(mesh.network.a, mesh.network.b.v4, port);
  const isCarried = await isAnswered(socket);
  const told = await ended;
  if (accepted.length !== seen + (isCarried ? 1 : 0)) throw new Error("the application saw it");
  return { isCarried, told };
}

/** The next end of a connection to b from now on. */
function calledEnded(): Promise<LoggedConnection> {
  return lineOf(mesh.b.ended, "uid-b", mesh.b.ended.length);
}

async function lineOf(
  ended: readonly LoggedConnection[],
  pod: string,
  since: number,
): Promise<LoggedConnection> {
  return until("a connection's line in the log", () =>
    ended.slice(since).find(({ facts }) => facts.direction === "inbound" && facts.pod === pod),
  );
}

function saidOf({ facts, outcome }: LoggedConnection): string {
  const asked = (facts.asked ?? []).map((one) => `${one.provider} ${one.answer}`);
  return [outcome.code, ...asked].join(", ");
}

test("CUSTOM: who the authorizer lets pass is carried; it is asked with both ends, in the called pod's name, by mutual TLS", async () => {
  const before = mesh.a.ended.length;
  const { isCarried, told } = await call();
  expect(isCarried).toBe(true);
  expect(saidOf(told)).toBe(", opa permitted");
  const { a, b } = mesh.network;
  const [question, ...more] = authorizer.questions;
  expect(more).toEqual([]);
  const { source, destination } = question?.attributes ?? {};
  expect([source?.principal, destination?.principal]).toEqual([CALLER, CALLED]);
  expect(source?.address?.address.value?.address).toBe(a.v4);
  expect(destination?.address?.address.value).toMatchObject({
    address: b.v4,
    portSpecifier: { value: APP },
  });
  authorizer.dropConnections();
  const line = await lineOf(mesh.a.ended, "uid-a", before);
  expect(line.facts.destinationAddress).toBe(`${a.v4}:${AUTHORIZER}`);
  expect(line.facts).toMatchObject({ tunnelled: true, source: { identity: CALLED } });
});

test("CUSTOM: who it does not let pass never reaches the application; a port that no rule names is not asked about", async () => {
  authorizer.welcome.clear();
  const { isCarried, told } = await call();
  expect(isCarried).toBe(false);
  expect(saidOf(told)).toBe("denied_by_provider, opa denied");
  expect(told.outcome).toMatchObject({ policy: "shop/ask-opa", rule: 0 });
  expect((await call(OTHER)).isCarried).toBe(true);
  expect(authorizer.questions).toHaveLength(1);
});

test("CUSTOM: a plaintext caller has no principal, and the authorizer without a tunnel is asked plainly", async () => {
  const { a, b } = mesh.network;
  const modes = { default: "PERMISSIVE", ports: [] } as const;
  mesh.put(
    workload(a, "a", { tunnel: false }),
    workload(b, "b", { tunnel: false }),
    enrolment(a, "a", { modes }),
    enrolment(b, "b", { modes, policies: ["shop/ask-opa"] }),
  );
  expect(saidOf((await call()).told)).toBe("denied_by_provider, opa denied");
  authorizer.welcome.add("");
  expect((await call()).isCarried).toBe(true);
  expect(authorizer.questions.map((asked) => asked.attributes?.source?.principal)).toEqual([
    "",
    "",
  ]);
});

test("CUSTOM: an authorizer that is not known, not there, silent or out of order lets nobody pass, and the log says which", async () => {
  rule({ policies: [custom("opa")], providers: [] });
  expect(saidOf((await call()).told)).toBe("denied_by_provider, opa unknown");
  expect((await call(OTHER)).isCarried).toBe(true);
  rule({ policies: [custom("opa")], providers: [provider("opa", { service: "shop/nobody" })] });
  expect(saidOf((await call()).told)).toBe("denied_by_provider, opa unreachable");
  rule({ policies: [custom("opa")], providers: [provider("opa")] });
  authorizer.mood = "fails";
  expect(saidOf((await call()).told)).toBe("denied_by_provider, opa failed");
  authorizer.mood = "silent";
  rule({ policies: [custom("opa")], providers: [provider("opa", { timeoutMs: 50 })] });
  expect(saidOf((await call()).told)).toBe("denied_by_provider, opa timeout");
});

test("CUSTOM: failOpen lets pass what it cannot be asked about, says so, and never what it denies", async () => {
  const providers = [provider("opa", { failOpen: true })];
  rule({ policies: [custom("opa")], providers });
  authorizer.mood = "fails";
  const { isCarried, told } = await call();
  expect(isCarried).toBe(true);
  expect(saidOf(told)).toBe(", opa failed");
  authorizer.mood = "rules";
  authorizer.welcome.clear();
  expect(saidOf((await call()).told)).toBe("denied_by_provider, opa denied");
});

test("CUSTOM: every provider must say yes, and a yes skips no DENY", async () => {
  const providers = [provider("opa"), provider("second", { port: 1 })];
  rule({ policies: [custom("opa"), custom("second")], providers });
  expect(saidOf((await call()).told)).toBe("denied_by_provider, opa permitted, second unreachable");
  rule({ policies: [custom("opa")], providers });
  const { b } = mesh.network;
  mesh.put(denyAll("shop/deny"), enrolment(b, "b", { policies: ["shop/ask-opa", "shop/deny"] }));
  const { told } = await call();
  expect(saidOf(told)).toBe("denied_by_policy, opa permitted");
});

test("CUSTOM: a caller whose tunnel ends while the authorizer thinks is told as gone", async () => {
  authorizer.mood = "silent";
  rule({ policies: [custom("opa")], providers: [provider("opa", { timeoutMs: 3_000 })] });
  const ended = calledEnded();
  const asked = authorizer.asked();
  const socket = await connectFromPod(mesh.network.a, mesh.network.b.v4, APP);
  const lost = once(socket, "error");
  await asked;
  mesh.remove({ kind: "workload", name: "uid-a" });
  await lost;
  expect((await ended).outcome.code).toBe("caller_gone");
});

test("CUSTOM: an open connection keeps its answer through changes of policies, and ends when its provider is another's", async () => {
  const { a, b } = mesh.network;
  const open = await connectFromPod(a, b.v4, APP);
  await nextText(open);
  authorizer.welcome.clear();
  mesh.put({
    kind: "policy",
    value: { ...custom("opa"), rules: [{ index: 0, from: [], to: [], when: [] }] },
  });
  rule({ policies: [custom("opa")], providers: [provider("opa", { timeoutMs: 9_000 })] });
  expect((await call()).isCarried).toBe(false);
  expect(open.destroyed).toBe(false);
  expect(authorizer.questions).toHaveLength(2);
  const ended = calledEnded();
  const lost = once(open, "error");
  rule({ policies: [custom("opa")], providers: [] });
  await lost;
  expect((await ended).outcome).toMatchObject({ code: "denied_by_provider", carried: true });
});

test("CUSTOM: an open connection that a new policy would have asked about ends, and its next one is asked about", async () => {
  rule({ policies: [], providers: [provider("opa")] });
  const open = await connectFromPod(mesh.network.a, mesh.network.b.v4, APP);
  await nextText(open);
  const ended = calledEnded();
  const lost = once(open, "error");
  rule({ policies: [custom("opa")], providers: [provider("opa")] });
  await lost;
  await ended;
  const { isCarried, told } = await call();
  expect([isCarried, saidOf(told)]).toEqual([true, ", opa permitted"]);
});

test("CUSTOM: the authorizer's restart costs no call", async () => {
  expect((await call()).isCarried).toBe(true);
  authorizer.dropConnections();
  expect((await call()).isCarried).toBe(true);
});
