/** Connections of which one side writes as much as it is let and the other reads nothing, and what node proxies hold of it. */
import { readFileSync } from "node:fs";
import { descendants } from "../../bench/process-cost.ts";
import { until } from "../../world/until.ts";
import {
  connectRaw,
  listenRaw,
  type Place,
  type RawListener,
  type RawSocket,
} from "../life/raw-socket.ts";
import type { Resident, Stalled } from "./outcome.ts";

const CHUNK_BYTES = 256 << 10;
/** Nothing has moved for so long: everyone stalls. */
const STILL_MS = 1_500;
const AT_ONCE = 50;

export interface StalledWish {
  readonly from: Place;
  readonly to: Place;
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly megabytes: number;
  /** The side that writes. */
  readonly writer: "client" | "server";
  /** Of the node proxies' first processes. */
  readonly proxies: readonly number[];
}

export async function stall(wish: StalledWish): Promise<Stalled> {
  const { connections, proxies } = wish;
  const before = proxies.map(residentOf);
  const listener = listenRaw(wish.to, wish.port, { receiveBytes: 64 << 10 });
  const pairs: Pair[] = [];
  try {
    await openUpTo(connections / 2, { wish, listener, pairs });
    const first = await fillAll(writersOf(pairs, wish), wish.megabytes << 20);
    const half = proxies.map(residentOf);
    await openUpTo(connections, { wish, listener, pairs });
    const rest = writersOf(pairs, wish).slice(connections / 2);
    const offered = first + (await fillAll(rest, wish.megabytes << 20));
    const after = proxies.map(residentOf);
    return { connections, offeredMB: Math.round(offered / 1e6), before, half, after };
  } finally {
    for (const socket of pairs.flat()) socket.reset();
    listener.close();
  }
}

type Pair = readonly [client: RawSocket, server: RawSocket];

interface Opening {
  readonly wish: StalledWish;
  readonly listener: RawListener;
  readonly pairs: Pair[];
}

async function openUpTo(count: number, { wish, listener, pairs }: Opening): Promise<void> {
  while (pairs.length < count) {
    const wanted = Math.min(AT_ONCE, count - pairs.length);
    const clients = Array.from({ length: wanted }, () => {
      return connectRaw(wish.from, wish.host, wish.port);
    });
    for (const client of clients) {
      const server = await until("a connection", () => listener.accept(), 30_000);
      pairs.push([client, server]);
    }
  }
}

function writersOf(pairs: readonly Pair[], { writer }: StalledWish): readonly RawSocket[] {
  return pairs.map(([client, server]) => (writer === "client" ? client : server));
}

/** Octets that were taken, once no more are. */
async function fillAll(writers: readonly RawSocket[], limit: number): Promise<number> {
  const written = new Map<RawSocket, number>();
  let total = 0;
  let lastMs = performance.now();
  await until(
    "everyone to stall",
    () => {
      for (const writer of writers) {
        const put = (written.get(writer) ?? 0) < limit ? writer.write(CHUNK_BYTES) : "enough";
        if (typeof put !== "number") continue;
        written.set(writer, (written.get(writer) ?? 0) + put);
        total += put;
        lastMs = performance.now();
      }
      return performance.now() - lastMs > STILL_MS || undefined;
    },
    240_000,
  );
  return total;
}

function residentOf(pid: number): Resident {
  const processes = descendants([pid]);
  const traffic = processes.filter(isTraffic);
  return {
    trafficKB: sum(traffic.map((each) => kilobytes(each, "Rss"))),
    // Pages that processes share are divided among them: all run one program.
    allKB: sum(processes.map((each) => kilobytes(each, "Pss"))),
  };
}

function kilobytes(pid: number, field: "Rss" | "Pss"): number {
  const text = readProc(pid, "smaps_rollup");
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
}

/** Not the keeper, whose command names both of its programs. */
export function isTraffic(pid: number): boolean {
  const [, ...words] = readProc(pid, "cmdline").split("\0");
  const program = words.find((word) => !word.startsWith("-"));
  return program?.endsWith("/traffic-main.ts") ?? false;
}

/** "" of one that has ended since it was listed, as the short-lived programs that capture runs do. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
