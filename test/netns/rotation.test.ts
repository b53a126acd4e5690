/** A change of the signing certificate under traffic: two pods of two nodes in real namespaces, through both data planes. */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { OlderTunnels } from "../../core/model/node-report.ts";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { type Crafted, createCraftedRoot } from "../fakes/crafted-ca.ts";
import { sized } from "../soak.ts";
import { connectFromPod, listenInPod, nextText } from "./pod-network.ts";
import { createTrafficMesh, type TrafficMesh, type TrafficNode } from "./traffic-mesh.ts";

const PORT = 8080;
/** At once, on a machine that has nothing else to do. */
const CUT_MS = sized(30_000, 1_000);
let mesh: TrafficMesh;
const servers: Server[] = [];
const accepted = new Set<Socket>();

beforeAll(async () => {
  mesh = await createTrafficMesh("wt-rotate");
  for (const pod of [mesh.network.a, mesh.network.b]) {
    servers.push(
      await listenInPod(pod, { port: PORT, family: 4 }, (socket) => {
        accepted.add(socket);
        socket.on("close", () => accepted.delete(socket));
        socket.on("error", () => undefined);
        socket.write("hello");
        socket.on("data", (chunk) => socket.write(chunk));
        socket.on("end", () => socket.end());
      }),
    );
  }
});

afterAll(async () => {
  for (const socket of accepted) socket.destroy();
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  await mesh[Symbol.asyncDispose]();
});

function signer(root: Crafted = mesh.root): Crafted {
  return root.issue({ isCa: true, keyUsage: 6, pathLength: 0, commonName: "signer" });
}

function bundle(signing: Crafted, part: { roots?: Crafted[]; retired?: Crafted[] } = {}): void {
  const { roots = [mesh.root], retired = [] } = part;
  const value = {
    trustDomain: "cluster.local",
    roots: roots.map(({ der }) => der),
    issuer: certificateFingerprint(signing.der),
    retired: retired.map(({ der }) => certificateFingerprint(der)),
  };
  mesh.put({ kind: "bundle", value });
}

function leaves(by: Crafted): void {
  mesh.leaf(mesh.a, "a", by);
  mesh.leaf(mesh.b, "b", by);
}

async function open(from: "a" | "b" = "a"): Promise<Socket> {
  const to = from === "a" ? "b" : "a";
  const socket = await connectFromPod(mesh.network[from], mesh.network[to].v4, PORT);
  socket.on("error", () => undefined);
  expect(await nextText(socket)).toBe("hello");
  return socket;
}

async function echoes(socket: Socket): Promise<boolean> {
  socket.write("ping");
  return (await nextText(socket)) === "ping";
}

async function request(from: "a" | "b"): Promise<void> {
  const socket = await open(from);
  const closed = once(socket, "close");
  expect(await echoes(socket)).toBe(true);
  socket.end();
  await closed;
}

interface Load {
  readonly failures: unknown[];
  /** Resolves once so many more are done. */
  requests(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Both ways, as fast as they go, three at a time. */
function startLoad(): Load {
  const failures: unknown[] = [];
  const waiting = new Set<{ left: number; readonly resolve: () => void }>();
  let isStopped = false;
  async function run(from: "a" | "b"): Promise<void> {
    while (!isStopped) {
      await request(from).catch((error: unknown) => failures.push(error));
      for (const one of waiting) {
        one.left -= 1;
        if (one.left === 0) one.resolve();
      }
    }
  }
  const running = (["a", "b", "a", "b", "a", "b"] as const).map(run);
  return {
    failures,
    requests: (left) => new Promise((resolve) => waiting.add({ left, resolve })),
    stop: async () => {
      isStopped = true;
      await Promise.all(running);
    },
  };
}

function told({ told: messages }: TrafficNode): readonly OlderTunnels[] {
  const last = messages.findLast((message) => message.kind === "tunnel_issuers");
  return last?.kind === "tunnel_issuers" ? last.issuers : [];
}

/** Of both ends of all live tunnels: exactly these, or none where there is no tunnel. */
async function untilTold(node: TrafficNode, issuers: readonly Crafted[]): Promise<void> {
  const wanted = issuers.map(({ der }) => certificateFingerprint(der)).toSorted();
  function isTold(): boolean {
    const list = told(node).map(({ issuer }) => issuer);
    return list.join() === wanted.join();
  }
  while (!isTold()) await node.nextTold();
}

async function bothTold(...issuers: readonly Crafted[]): Promise<void> {
  await Promise.all([untilTold(mesh.a, issuers), untilTold(mesh.b, issuers)]);
}

/** Every tunnel there is stands under this signer on both ends, and there is one. */
async function begin(first: Crafted): Promise<void> {
  bundle(first);
  leaves(first);
  await request("a");
  await bothTold(first);
}

/** Resolves with how long it took. */
async function untilClosed(...sockets: readonly Socket[]): Promise<number> {
  const begin = performance.now();
  const open = sockets.filter((socket) => !socket.destroyed);
  await Promise.all(open.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  return performance.now() - begin;
}

test("rotation: a change of the signing certificate under traffic fails no request, and leaves nothing on the one before", async () => {
  const [first, second] = [signer(), signer()];
  bundle(first);
  leaves(first);
  const load = startLoad();
  await load.requests(100);
  bundle(second);
  await load.requests(50);
  mesh.leaf(mesh.a, "a", second);
  await load.requests(50);
  mesh.leaf(mesh.b, "b", second);
  await bothTold(second);
  bundle(second, { retired: [first] });
  await load.requests(100);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(mesh.a.ended.map(({ outcome }) => outcome.code).filter((code) => code !== "")).toEqual([]);
});

test("rotation: a change of root under traffic fails no request", async () => {
  const old = signer();
  const next = createCraftedRoot("next root");
  const [first, second] = [old, signer(next)];
  bundle(first);
  leaves(first);
  const load = startLoad();
  await load.requests(100);
  bundle(first, { roots: [mesh.root, next] });
  await load.requests(50);
  bundle(second, { roots: [mesh.root, next] });
  mesh.leaf(mesh.b, "b", second);
  await load.requests(50);
  mesh.leaf(mesh.a, "a", second);
  await bothTold(second);
  bundle(second, { roots: [next], retired: [first, mesh.root] });
  await load.requests(100);
  await load.stop();
  expect(load.failures).toEqual([]);
  bundle(second, { roots: [mesh.root, next] });
});

test("rotation: a long stream holds its older tunnel, is reported, and is cut on both sides once that is retired", async () => {
  const [first, second] = [signer(), signer()];
  await begin(first);
  const long = await open();
  const [far] = [...accepted].slice(-1);
  bundle(second);
  leaves(second);
  await bothTold(first, second);
  const other = await open();
  expect(await echoes(long)).toBe(true);
  if (!far) throw new Error("nothing was accepted");
  mesh.b.ended.length = 0;
  mesh.a.ended.length = 0;
  bundle(second, { retired: [first] });
  expect(await untilClosed(long, far)).toBeLessThan(CUT_MS);
  const codes = [mesh.a, mesh.b].map(({ ended }) => ended.map(({ outcome }) => outcome.code));
  expect(codes).toEqual([["trust_withdrawn"], ["trust_withdrawn"]]);
  expect(await echoes(other)).toBe(true);
  await bothTold(second);
  other.destroy();
});

test.each(["a", "b"] as const)(
  "rotation: where only the node of pod %s knows of the retirement, both ends close all the same",
  async (knowing) => {
    const [first, second] = [signer(), signer()];
    await begin(first);
    const long = await open();
    const [far] = [...accepted].slice(-1);
    if (!far) throw new Error("nothing was accepted");
    const value = {
      trustDomain: "cluster.local",
      roots: [mesh.root.der],
      issuer: certificateFingerprint(second.der),
      retired: [certificateFingerprint(first.der)],
    };
    const resource = {
      name: "cluster.local",
      version: "1",
      body: { kind: "bundle", value },
    } as const;
    const changes = { upserts: [resource], removals: [] };
    mesh[knowing].traffic.onMessage({ kind: "changes", changes }, []);
    expect(await untilClosed(long, far)).toBeLessThan(CUT_MS);
    leaves(second);
    await request("a");
  },
);

test.each(["a", "b"] as const)(
  "rotation: an idle tunnel of the issuer before is closed as soon as the leaf of pod %s changes",
  async (changed) => {
    const [first, second] = [signer(), signer()];
    await begin(first);
    mesh.leaf(mesh[changed], changed, second);
    await bothTold();
    expect(told(mesh.a)).toEqual([]);
  },
);
