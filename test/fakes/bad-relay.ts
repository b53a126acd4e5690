/**
 * A line between two ends of TCP that is bad on purpose: as slow, as late and as short-lived as the test says. Octets
 * keep their order, as TCP's do, and no more wait in here than a small router would hold.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const HELD_BYTES = 65_536;
/** So that a slow line trickles. */
const PIECE_BYTES = 1_024;

export interface LineQuality {
  /** In each direction of each connection; `Infinity` on a good line. */
  readonly bytesPerSecond: number;
  /** Asked for each piece, in milliseconds; what comes behind one that is late is late, too. */
  readonly delayMs: () => number;
}

export interface BadRelay {
  readonly port: number;
  /** Connections that came so far. */
  readonly taken: number;
  /** From here on, also on connections that are open. */
  set(quality: Partial<LineQuality>): void;
  /** Every connection that is open now. */
  cut(): void;
  close(): Promise<void>;
}

export interface RelayEnds {
  readonly target: { readonly host: string; readonly port: number };
  /** Port 0, and loopback, where absent. */
  readonly listen?: { readonly host: string; readonly port: number };
}

export async function openBadRelay({ target, listen }: RelayEnds): Promise<BadRelay> {
  let quality: LineQuality = { bytesPerSecond: Infinity, delayMs: () => 0 };
  let taken = 0;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    taken += 1;
    const far = connect({ ...target, allowHalfOpen: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true).on("error", () => undefined);
      socket.once("close", () => sockets.delete(socket));
    }
    near.once("close", () => far.destroy());
    far.once("close", () => near.destroy());
    for (const [from, to] of [[near, far] as const, [far, near] as const]) {
      void carry(from, to, () => quality);
    }
  });
  server.listen(listen ?? { host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  function cut(): void {
    for (const socket of sockets) socket.destroy();
  }
  return {
    port: (server.address() as AddressInfo).port,
    get taken() {
      return taken;
    },
    set(change) {
      quality = { ...quality, ...change };
    },
    cut,
    async close() {
      server.close();
      cut();
      await once(server, "close");
    },
  };
}

/** Resolves when either is over. */
async function carry(from: Socket, to: Socket, quality: () => LineQuality): Promise<void> {
  let held = 0;
  let sentMs = 0;
  let last: Promise<void> = Promise.resolve();
  async function send(piece: Buffer, atMs: number): Promise<void> {
    await delay(Math.max(0, atMs - performance.now()));
    held -= piece.length;
    if (!to.destroyed && !to.write(piece)) await once(to, "drain");
  }
  try {
    for await (const piece of piecesOf(from)) {
      const { bytesPerSecond, delayMs } = quality();
      sentMs = Math.max(sentMs, performance.now()) + (piece.length / bytesPerSecond) * 1000;
      const atMs = sentMs + delayMs();
      held += piece.length;
      const before = last;
      last = before.then(() => send(piece, atMs));
      if (held > HELD_BYTES) await last;
    }
    await last;
    to.end();
  } catch {
    // Either was cut: the other is, too.
    to.destroy();
  }
}

async function* piecesOf(socket: Socket): AsyncGenerator<Buffer> {
  const chunks: AsyncIterable<Buffer> = socket.iterator({ destroyOnReturn: false });
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      yield chunk.subarray(at, at + PIECE_BYTES);
    }
  }
}
