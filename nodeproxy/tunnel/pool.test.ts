import { once } from "node:events";
import {
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { setImmediate as immediate } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { PodSlots } from "../flow/pod-slots.ts";
import { HboneConnection } from "../hbone/connection.ts";
import type { HboneStream } from "../hbone/stream.ts";
import { type TunnelEnds, TunnelPool } from "./pool.ts";
import type { Handshake } from "./tunnel.ts";
import { TunnelError } from "./tunnel-error.ts";

const ENDS: TunnelEnds = {
  sourceUid: "uid-a",
  sourceAddress: "10.0.0.1",
  sourceIdentity: "spiffe://cluster.local/ns/shop/sa/a",
  destinationUid: "uid-b",
  destinationAddress: "10.0.0.2",
  expectedIdentity: "spiffe://cluster.local/ns/shop/sa/b",
};
const FAR_MS = 8.64e15;

let server: Http2Server;
const sessions: ServerHttp2Session[] = [];
const streams: HboneStream[] = [];
let pool: TunnelPool;
/** Each handshake that the pool has begun, to be ended by the test. */
let begun: ((outcome: Handshake | Error) => void)[] = [];
/** Who began them. */
let asked: TunnelEnds[] = [];
/** Of the own leaf that handshakes begin with. */
let issuerNow = "first";

beforeEach(async () => {
  server = createServer();
  server.on("session", (session) => {
    session.on("error", () => undefined);
    sessions.push(session);
  });
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => undefined);
    stream.respond({ ":status": headers[":authority"] === "denied:1" ? 401 : 200 });
    stream.resume();
    stream.on("end", () => stream.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  begun = [];
  asked = [];
  issuerNow = "first";
  pool = pooled(1_000);
});

/** With so many tunnels of one pod. */
function pooled(limit: number): TunnelPool {
  const slots = new Map<string, PodSlots>();
  return new TunnelPool(
    (ends) => {
      asked.push(ends);
      return new Promise((resolve, reject) => {
        begun.push((outcome) => (Error.isError(outcome) ? reject(outcome) : resolve(outcome)));
      });
    },
    (uid) => {
      const known = slots.get(uid) ?? new PodSlots(limit);
      slots.set(uid, known);
      return known;
    },
  );
}

afterEach(async () => {
  pool.close();
  for (const session of sessions.splice(0)) session.destroy();
  streams.length = 0;
  server.close();
  await once(server, "close");
});

/** The handshake itself is another file's; here a plain connection stands for a verified one. */
async function verified(validUntilMs = FAR_MS): Promise<Handshake> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  const own = { trustDomain: "cluster.local", chain: [], issuer: issuerNow };
  return { kind: "verified", socket: socket as unknown as TLSSocket, own, validUntilMs };
}

async function finishNext(validUntilMs?: number): Promise<void> {
  const finish = begun.shift();
  if (!finish) throw new Error("no handshake has begun");
  finish(await verified(validUntilMs));
}

/** A stream that asks again does so in a later turn. */
async function nextBegun(): Promise<void> {
  while (begun.length === 0) await immediate();
}

async function open(ends = ENDS): Promise<HboneStream> {
  const stream = await pool.open(ends, "10.0.0.2:80");
  streams.push(stream);
  return stream;
}

async function openFirst(): Promise<HboneStream> {
  const opening = open();
  await finishNext();
  return opening;
}

async function ended(stream: HboneStream): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    stream.watchClose(resolve);
  });
  stream.resume();
  stream.end();
  await closed;
}

/** Resolves once the tunnel that the stream lies in is closed. */
function tunnelEnded({ line }: HboneStream): Promise<unknown> {
  if (!(line instanceof HboneConnection)) throw new Error("the stream has no connection");
  return once(line.socket, "close");
}

async function reasonOf(opening: Promise<unknown>): Promise<string> {
  const error = await opening.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return error instanceof TunnelError ? error.reason : `not a TunnelError: ${String(error)}`;
}

test("open(): streams that wait for one handshake share its tunnel", async () => {
  const openings = [open(), open(), open()];
  await finishNext();
  const all = await Promise.all(openings);
  expect(new Set(all.map((stream) => stream.line)).size).toBe(1);
  expect(asked).toHaveLength(1);
});

test("open(): a leaf that changes during the handshake fails no stream that waits for it", async () => {
  const openings = [open(), open()];
  for (let i = 0; i < 10; i += 1) pool.outdateIdentity(ENDS.sourceIdentity);
  await finishNext();
  await Promise.all(openings);
  expect(asked).toHaveLength(1);
});

test("open(): a pod that goes during the handshake fails no stream that waits for it, and the tunnel takes no other", async () => {
  const opening = open();
  pool.drainWorkload(ENDS.destinationUid);
  await finishNext();
  const stream = await opening;
  expect(pool.size).toBe(0);
  const closed = tunnelEnded(stream);
  await ended(stream);
  await closed;
});

test("outdateIdentity(): the tunnel of the old leaf serves until its successor is verified, and ends with its last stream", async () => {
  const first = await openFirst();
  pool.outdateIdentity(ENDS.sourceIdentity);
  const second = await open();
  expect(second.line).toBe(first.line);
  expect(asked).toHaveLength(2);
  await finishNext();
  const third = await open();
  expect(third.line).not.toBe(first.line);
  expect(pool.size).toBe(1);
  expect(first.destroyed).toBe(false);
  const closed = tunnelEnded(first);
  const { line } = first;
  await ended(first);
  expect(line instanceof HboneConnection && line.isClosed).toBe(false);
  await ended(second);
  await closed;
  expect(third.destroyed).toBe(false);
});

test("outdateIdentity(): a successor that fails hurts no one, and is not tried again at once", async () => {
  const first = await openFirst();
  pool.outdateIdentity(ENDS.sourceIdentity);
  await open();
  begun.shift()?.({ kind: "failed", error: new TunnelError("tunnel_tls_failed", "as made up") });
  const next = await open();
  expect(next.line).toBe(first.line);
  expect(asked).toHaveLength(2);
});

test("outdateIdentity(): at every turn, under load, it fails nothing and costs few handshakes", async () => {
  await openFirst();
  for (let i = 0; i < 300; i += 1) {
    pool.outdateIdentity(ENDS.sourceIdentity);
    const stream = await open();
    if (begun.length > 0) await finishNext();
    await ended(stream);
  }
  expect(asked.length).toBeLessThan(10);
});

test("open(): a tunnel whose certificate has ended takes no more streams", async () => {
  const opening = open();
  await finishNext(Date.now() + 50);
  const first = await opening;
  while (asked.length === 1) {
    const next = open();
    if (begun.length > 0) await finishNext();
    await ended(await next);
  }
  expect(first.destroyed).toBe(false);
});

test("open(): a peer that says goodbye while streams are opened fails none of them", async () => {
  await openFirst();
  const openings = Array.from({ length: 20 }, () => open());
  for (const session of sessions) session.close();
  const opened = new Set<unknown>();
  for (const opening of openings) void opening.then((stream) => opened.add(stream));
  while (opened.size < openings.length) {
    if (begun.length > 0) await finishNext();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await Promise.all(openings)).toHaveLength(20);
});

test("open(): a handshake that fails or throws is told to all who wait, and does not stay", async () => {
  const failing = [open(), open()];
  begun.shift()?.({ kind: "failed", error: new TunnelError("no_leaf", "as made up") });
  expect(await Promise.all(failing.map(reasonOf))).toEqual(["no_leaf", "no_leaf"]);
  const thrown = open();
  begun.shift()?.(new Error("as made up"));
  expect(await reasonOf(thrown)).toBe("tunnel_connect_failed");
  expect(pool.size).toBe(0);
  await openFirst();
});

test("open(): a handshake that is lost is begun anew for all who wait, once", async () => {
  const error = new TunnelError("tunnel_handshake_lost", "as made up");
  const openings = [open(), open()];
  begun.shift()?.({ kind: "failed", error });
  await nextBegun();
  await finishNext();
  await Promise.all(openings);
  expect(asked).toHaveLength(2);
  pool.drainWorkload(ENDS.destinationUid);
  const inVain = open();
  begun.shift()?.({ kind: "failed", error });
  await nextBegun();
  begun.shift()?.({ kind: "failed", error });
  expect(await reasonOf(inVain)).toBe("tunnel_handshake_lost");
  expect(asked).toHaveLength(4);
});

test("open(): an answer other than 200 is told as what it means, and the tunnel goes on", async () => {
  const first = await openFirst();
  expect(await reasonOf(pool.open(ENDS, "denied:1"))).toBe("denied_by_peer");
  expect((await open()).line).toBe(first.line);
});

test("open(): two pods never share a tunnel, whatever they agree in", async () => {
  await openFirst();
  const others: readonly Partial<TunnelEnds>[] = [
    { sourceUid: "uid-a2" },
    { sourceAddress: "10.0.0.9" },
    { sourceIdentity: "spiffe://cluster.local/ns/shop/sa/a2" },
    { destinationUid: "uid-b2" },
    { destinationAddress: "10.0.0.8" },
    { expectedIdentity: "spiffe://cluster.local/ns/shop/sa/b2" },
  ];
  for (const other of others) {
    const opening = open({ ...ENDS, ...other });
    await finishNext();
    await opening;
  }
  expect(new Set(streams.map((stream) => stream.line)).size).toBe(others.length + 1);
});

test("open(): a pod with as many tunnels as it may have gets no other until one is closed, and other pods do", async () => {
  pool = pooled(2);
  function to(destinationUid: string, sourceUid = "a"): TunnelEnds {
    return { ...ENDS, sourceUid, destinationUid };
  }
  const openings = [open(to("x")), open(to("y"))];
  await finishNext();
  await finishNext();
  const [first, second] = await Promise.all(openings);
  expect(await reasonOf(open(to("z")))).toBe("pod_tunnels_exhausted");
  const other = open(to("z", "b"));
  await finishNext();
  await other;
  // More streams in the tunnels that it has.
  await open(to("y"));
  if (!first || !second) throw new Error("no stream");
  const closed = tunnelEnded(first);
  pool.endWorkload("x");
  await closed;
  const again = open(to("z"));
  await finishNext();
  await again;
  expect(asked).toHaveLength(4);
});

test("open(): a handshake that fails gives back its place", async () => {
  pool = pooled(1);
  for (let i = 0; i < 3; i += 1) {
    const opening = reasonOf(open());
    begun.shift()?.({ kind: "failed", error: new TunnelError("tunnel_tls_failed", "no") });
    expect(await opening).toBe("tunnel_tls_failed");
  }
});

test("drainIdentity(): without a leaf no new stream begins, and open ones go on", async () => {
  const first = await openFirst();
  pool.drainIdentity(ENDS.sourceIdentity);
  const next = open();
  begun.shift()?.({ kind: "failed", error: new TunnelError("no_leaf", "as made up") });
  expect(await reasonOf(next)).toBe("no_leaf");
  expect(first.destroyed).toBe(false);
});

test("endUntrusted(): ends drained tunnels too", async () => {
  const first = await openFirst();
  pool.drainIdentity(ENDS.sourceIdentity);
  const failing = new Promise<void>((resolve) => {
    first.watchClose(resolve);
  });
  pool.endUntrusted(() => false);
  await failing;
  expect(first.endedInOrder).toBe(false);
  expect(first.destroyed).toBe(true);
});

test("leaveOlderIssuers(): an unused tunnel ends at once, and one of the issuer of now is left alone", async () => {
  const first = await openFirst();
  pool.leaveOlderIssuers(() => "first");
  pool.leaveOlderIssuers(() => "");
  expect(pool.size).toBe(1);
  for (const stream of streams) await ended(stream);
  const closed = tunnelEnded(first);
  pool.leaveOlderIssuers(() => "second");
  expect(pool.size).toBe(0);
  await closed;
});

test("leaveOlderIssuers(): a used tunnel serves until its successor is verified, without waiting for the next stream", async () => {
  const first = await openFirst();
  issuerNow = "second";
  pool.leaveOlderIssuers(() => issuerNow);
  expect(asked).toHaveLength(2);
  expect((await open()).line).toBe(first.line);
  await finishNext();
  const next = await open();
  expect(next.line).not.toBe(first.line);
  expect(pool.size).toBe(1);
  expect(first.destroyed).toBe(false);
  pool.leaveOlderIssuers(() => issuerNow);
  expect(asked).toHaveLength(2);
  expect(pool.size).toBe(1);
});

test("leaveOlderIssuers(): a tunnel whose handshake began with the older leaf is left once it is verified", async () => {
  const opening = open();
  const finish = begun.shift();
  finish?.(await verified());
  issuerNow = "second";
  const first = await opening;
  pool.leaveOlderIssuers(() => issuerNow);
  await finishNext();
  expect((await open()).line).not.toBe(first.line);
});

test("endUntrusted(): a stream that waits for its answer is told a loss, which may be tried again", async () => {
  const first = await openFirst();
  server.removeAllListeners("stream");
  server.on("stream", (stream) => stream.on("error", () => undefined));
  const waiting = open();
  pool.endUntrusted(() => false);
  expect(first.destroyed).toBe(true);
  server.removeAllListeners("stream");
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    stream.respond({ ":status": 200 });
  });
  while (begun.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await finishNext();
  expect((await waiting).line).not.toBe(first.line);
});

test("endWorkload(): a pod that is gone ends its tunnels with their streams, also while they are opened", async () => {
  const stream = await openFirst();
  const other = open({ ...ENDS, destinationUid: "uid-c" });
  const closed = new Promise<void>((resolve) => {
    stream.watchClose(resolve);
  });
  pool.endWorkload(ENDS.destinationUid);
  await closed;
  expect([stream.line.endedBy, stream.endedInOrder]).toEqual(["workload_gone", false]);
  pool.endWorkload("uid-c");
  expect(await reasonOf(other)).toBe("workload_gone");
  expect(pool.size).toBe(0);
});

test("endWorkload(): a tunnel that was drained before ends as well", async () => {
  const stream = await openFirst();
  const closed = new Promise<void>((resolve) => {
    stream.watchClose(resolve);
  });
  pool.drainWorkload(ENDS.sourceUid);
  pool.endWorkload(ENDS.sourceUid);
  await closed;
  expect([stream.line.endedBy, stream.endedInOrder]).toEqual(["workload_gone", false]);
});
