/**
 * The network between two nodes loses, doubles, delays and changes packets, in both directions or in one, its MTU is not
 * what the ends believe, tunnels are cut, nodes stand still: streams arrive octet for octet or end with an error, and
 * what policy forbids is never answered.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { sized } from "../soak.ts";
import { until } from "../world/until.ts";
import type { WireFaults } from "./bad-network/wire.ts";
import { listenInPod, startFromPod } from "./pod-network.ts";
import { createTrafficMesh, denyPort, enrolment, type TrafficMesh } from "./traffic-mesh.ts";

const PREFIX = "wt-badnet";
const PORT = 8080;
const FORBIDDEN = 9090;
const STREAMS = sized(4, 16);
/** Each way. */
const BYTES = sized(500_000, 8_000_000);
const TEST_MS = sized(300_000, 900_000);
const WIRE = `${PREFIX}-wire`;
const FINE: WireFaults = {
  lost: 0,
  doubled: 0,
  late: 0,
  changed: 0,
  lostThere: 0,
  lostBack: 0,
};
const REJECT_TUNNELS = "INPUT -p tcp --dport 15008 -j REJECT --reject-with tcp-reset";
const STILL_MS = 5_000;
/** Of a wire that loses every other one: some of each stream. */
const LOST_PACKETS = sized(100, 1_000);
/** Longer than any octet repeats at its place. */
const PERIOD = 251;
let mesh: TrafficMesh;
let wire: ChildProcess;
const servers: Server[] = [];
const sockets = new Set<Socket>();
/** Connections that came to the forbidden port. */
let forbidden = 0;

beforeAll(async () => {
  mesh = await createTrafficMesh(PREFIX);
  const { b } = mesh.network;
  wire = await plugWire();
  mesh.put(denyPort("shop/deny", FORBIDDEN), enrolment(b, "b", { policies: ["shop/deny"] }));
  servers.push(await listenInPod(b, { port: PORT, family: 4 }, answer));
  servers.push(
    await listenInPod(b, { port: FORBIDDEN, family: 4 }, (socket) => {
      forbidden += 1;
      socket.end("forbidden");
    }),
  );
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await set(FINE);
});

afterAll(async () => {
  const exit = once(wire, "exit");
  wire.kill("SIGKILL");
  await exit;
  for (const server of servers) server.close();
  await mesh[Symbol.asyncDispose]();
});

/** Between pod b and the bridge of the node, in a namespace of its own. */
async function plugWire(): Promise<ChildProcess> {
  const node = `${PREFIX}-node`;
  ip(`netns add ${WIRE}`);
  ip(`-n ${node} link set v3 nomaster netns ${WIRE} name far`);
  ip(`-n ${node} link add plug type veth peer name near netns ${WIRE}`);
  ip(`-n ${node} link set plug master br0 up`);
  for (const end of ["near", "far"]) ip(`-n ${WIRE} link set ${end} up`);
  // Else a frame is up to 64 KB of segments, and all are lost together.
  for (const pod of ["a", "b"]) ip(`-n ${PREFIX}-${pod} link set eth0 gso_max_size 3000`);
  const program = join(import.meta.dirname, "bad-network", "wire.ts");
  const child = spawn("nsenter", [`--net=/run/netns/${WIRE}`, process.execPath, program], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  await once(child, "message");
  return child;
}

function ip(command: string): void {
  execFileSync("ip", command.split(" "));
}

/** Says what was done since it was last set. */
async function set(faults: WireFaults): Promise<WireFaults> {
  const done = once(wire, "message") as Promise<[WireFaults]>;
  wire.send(faults);
  return (await done)[0];
}

/** Octet `at` of what each side sends. */
function patterned(at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i += 1) bytes[i] = ((at + i) % PERIOD) ^ (((at + i) >> 16) & 255);
  return bytes;
}

interface Stream {
  /** All came, and its end. */
  readonly isWhole: boolean;
  /** An octet that is not the one that was sent at its place. */
  readonly isCorrupt: boolean;
}

const answered: Promise<Stream>[] = [];

function answer(socket: Socket): void {
  answered.push(exchange(socket));
}

/** Sends all, checks all that comes. */
async function exchange(socket: Socket): Promise<Stream> {
  sockets.add(socket);
  const seen = { octets: 0, isCorrupt: false, hasEnded: false };
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    seen.isCorrupt ||= !chunk.equals(patterned(seen.octets, chunk.length));
    seen.octets += chunk.length;
  });
  socket.on("end", () => {
    seen.hasEnded = true;
  });
  sendFrom(socket, 0);
  await new Promise((resolve) => socket.once("close", resolve));
  sockets.delete(socket);
  return { isWhole: seen.hasEnded && seen.octets === BYTES, isCorrupt: seen.isCorrupt };
}

function sendFrom(socket: Socket, from: number): void {
  for (let at = from; at < BYTES; ) {
    const length = Math.min(20_000, BYTES - at);
    const hasRoom = socket.write(patterned(at, length));
    at += length;
    if (hasRoom) continue;
    socket.once("drain", () => sendFrom(socket, at));
    return;
  }
  socket.end();
}

interface Outcome {
  readonly whole: number;
  readonly corrupt: number;
  readonly forbidden: number;
}

interface Course {
  /** Begins once streams flow. */
  readonly meanwhile?: () => Promise<void> | void;
  /** Begins once every caller has come to its end. */
  readonly afterwards?: () => Promise<void>;
}

/** Streams both ways at once, and forbidden calls among them. */
async function storm({ meanwhile, afterwards }: Course = {}): Promise<Outcome> {
  const { a, b } = mesh.network;
  answered.length = 0;
  const before = forbidden;
  const streams = Array.from({ length: STREAMS }, () => exchange(startFromPod(a, b.v4, PORT)));
  const denied = Array.from({ length: STREAMS }, () => refused(startFromPod(a, b.v4, FORBIDDEN)));
  const [first] = sockets;
  // It may break before: that is an outcome, too.
  const begun = first && once(first, "data").catch(() => undefined);
  await Promise.race([begun, ...streams]);
  await meanwhile?.();
  const called = await Promise.all(streams);
  const texts = await Promise.all(denied);
  expect(texts.join("")).toBe("");
  await afterwards?.();
  const all = [...called, ...(await Promise.all(answered))];
  return {
    whole: all.filter(({ isWhole }) => isWhole).length,
    corrupt: all.filter(({ isCorrupt }) => isCorrupt).length,
    forbidden: forbidden - before,
  };
}

/** What a forbidden call is answered. */
async function refused(socket: Socket): Promise<string> {
  sockets.add(socket);
  let text = "";
  socket
    .on("error", () => undefined)
    .on("end", () => socket.end())
    .on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  await new Promise((resolve) => socket.once("close", resolve));
  sockets.delete(socket);
  return text;
}

const HARMLESS = { corrupt: 0, forbidden: 0 };

const SPOILED: readonly (readonly [string, Partial<WireFaults>])[] = [
  ["loses one packet of 100", { lost: 0.01 }],
  ["loses one packet of 50", { lost: 0.02 }],
  ["loses one packet of 10", { lost: 0.1 }],
  ["doubles one packet of 5", { doubled: 0.2 }],
  ["puts one packet of 5 behind the next", { late: 0.2 }],
  ["loses, doubles and delays", { lost: 0.03, doubled: 0.1, late: 0.1 }],
];

for (const [what, faults] of SPOILED) {
  test(
    `a network that ${what}: every stream arrives octet for octet, and nothing forbidden is answered`,
    async () => {
      await set({ ...FINE, ...faults });
      expect(await storm()).toEqual({ ...HARMLESS, whole: 2 * STREAMS });
      const done = await set(FINE);
      for (const fault of Object.keys(faults)) {
        expect(done).toMatchObject({ [fault]: expect.any(Number) });
        expect(done).not.toMatchObject({ [fault]: 0 });
      }
    },
    TEST_MS,
  );
}

test(
  "a network that changes octets: streams arrive or break, none with another octet, and it heals",
  async () => {
    await set({ ...FINE, changed: 0.05 });
    const outcome = await storm();
    expect(outcome).toMatchObject(HARMLESS);
    expect((await set(FINE)).changed).toBeGreaterThan(0);
    expect(outcome.whole).toBeLessThan(2 * STREAMS);
    expect(await storm()).toEqual({ ...HARMLESS, whole: 2 * STREAMS });
  },
  TEST_MS,
);

test(
  "tunnels that are reset in the middle: streams break, none is corrupt, and new ones are whole at once",
  async () => {
    const outcome = await storm({
      meanwhile: async () => {
        iptables(`-I ${REJECT_TUNNELS}`);
        await mesh.a.nextEnded();
        iptables(`-D ${REJECT_TUNNELS}`);
      },
    });
    expect(outcome).toMatchObject(HARMLESS);
    expect(await storm()).toEqual({ ...HARMLESS, whole: 2 * STREAMS });
  },
  TEST_MS,
);

test(
  "a network that loses every other packet for a while: streams arrive or break, none with another octet, and it heals",
  async () => {
    let lost = 0;
    const outcome = await storm({
      meanwhile: async () => {
        await set({ ...FINE, lost: 0.5 });
        await until("packets to be lost", async () => {
          lost += (await set({ ...FINE, lost: 0.5 })).lost;
          return lost >= LOST_PACKETS || undefined;
        });
        await set(FINE);
      },
    });
    expect(outcome).toMatchObject(HARMLESS);
    expect(lost).toBeGreaterThanOrEqual(LOST_PACKETS);
    expect(await storm()).toEqual({ ...HARMLESS, whole: 2 * STREAMS });
  },
  TEST_MS,
);

/** Which way, and what notices: the PING of the caller's tunnel, or that no handshake is answered. Both: a node that is isolated. */
const ONE_WAY = [[["lostThere"]], [["lostBack"]]] as const;
const ANY_WAY = [...ONE_WAY, [["lostThere", "lostBack"]]] as const;

test.each(sized<typeof ANY_WAY | typeof ONE_WAY>(ONE_WAY, ANY_WAY))(
  "a network that is cut (%j): calls end, none is answered, and it heals",
  async (directions) => {
    await set({ ...FINE, ...Object.fromEntries(directions.map((direction) => [direction, 1])) });
    let cut = FINE;
    const outcome = await storm({
      // Whoever is called hears no end before that, where its answers are what is lost.
      afterwards: async () => {
        cut = await set(FINE);
      },
    });
    expect(outcome).toEqual({ ...HARMLESS, whole: 0 });
    // Where nothing comes there nothing goes back.
    expect(cut[directions[0]]).toBeGreaterThan(0);
    expect(await storm()).toEqual({ ...HARMLESS, whole: 2 * STREAMS });
  },
  TEST_MS,
);

test(
  "both nodes stand still for five seconds: every stream goes on where it was",
  async () => {
    const outcome = await storm({
      meanwhile: () => {
        const untilMs = performance.now() + STILL_MS;
        while (performance.now() < untilMs);
      },
    });
    expect(outcome).toEqual({ ...HARMLESS, whole: 2 * STREAMS });
  },
  TEST_MS,
);

test(
  "an MTU that the network does not have, and nobody says so: calls end, none is answered in part, and it heals",
  async () => {
    // Else those go on that know the right one.
    await endTunnels();
    setMtu(9_000);
    const outcome = await storm({
      afterwards: () => {
        setMtu(1_500);
        return Promise.resolve();
      },
    });
    expect(outcome).toEqual({ ...HARMLESS, whole: 0 });
    expect(await storm()).toEqual({ ...HARMLESS, whole: 2 * STREAMS });
  },
  TEST_MS,
);

/** Between the two nodes, by the next packet of each. */
async function endTunnels(): Promise<void> {
  const { a, b } = mesh.network;
  iptables(`-I ${REJECT_TUNNELS}`);
  await refused(startFromPod(a, b.v4, PORT));
  iptables(`-D ${REJECT_TUNNELS}`);
}

test(
  "an MTU that shrinks under open streams: every one arrives octet for octet",
  async () => {
    const outcome = await storm({ meanwhile: () => setMtu(1_280) });
    setMtu(1_500);
    expect(outcome).toEqual({ ...HARMLESS, whole: 2 * STREAMS });
  },
  TEST_MS,
);

test(
  "the smallest MTU that an IPv4 network may have, 576: every stream arrives octet for octet",
  async () => {
    await endTunnels();
    setMtu(576);
    expect(await storm()).toEqual({ ...HARMLESS, whole: 2 * STREAMS });
    // IPv6 has gone from the pods by now, and does not come back: nothing comes after this.
    setMtu(1_500);
  },
  TEST_MS,
);

/** Of both pods: a network of which one end keeps the larger is the kernel's to notice (net.ipv4.tcp_mtu_probing). */
function setMtu(octets: number): void {
  for (const pod of ["a", "b"]) ip(`-n ${PREFIX}-${pod} link set eth0 mtu ${octets}`);
}

/** In pod b. */
function iptables(rule: string): void {
  const { path } = mesh.network.b;
  execFileSync("nsenter", [`--net=${path}`, "iptables", ...rule.split(" ")]);
}
