/** Connections of which one side writes as much as it is let and the other reads nothing, and what node proxies hold of it. */
import { descendants, readIfThere } from "../../bench/process-cost.ts";
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
/** For so long hardly anything has moved: everyone stalls. Of a thousand, the kernel lets now and then one write a little more. */
const STILL_MS = 1_500;
const HARDLY = 0.01;
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
  let [sinceMs, totalThen] = [performance.now(), 0];
  await until(
    "everyone to stall",
    () => {
      for (const writer of writers) {
        const put = (written.get(writer) ?? 0) < limit ? writer.write(CHUNK_BYTES) : "enough";
        if (typeof put !== "number") continue;
        written.set(writer, (written.get(writer) ?? 0) + put);
        total += put;
      }
      if (performance.now() - sinceMs < STILL_MS) return undefined;
      if (total - totalThen <= total * HARDLY) return true;
      [sinceMs, totalThen] = [performance.now(), total];
      return undefined;
    },
    240_000,
  );
  return total;
}

function residentOf(pid: number): Resident {
  const processes = descendants([pid]);
  const trafficKB = sum(processes.filter(isTraffic).map((each) => kilobytes(each, "Rss")));
  if (trafficKB === 0) throw new Error(`no traffic process under ${pid}`);
  // Pages that processes share are divided among them: all run one program.
  return { trafficKB, allKB: sum(processes.map((each) => kilobytes(each, "Pss"))) };
}

/** 0 of one that ended meanwhile, as what looks into a pod's namespace does. */
function kilobytes(pid: number, field: "Rss" | "Pss"): number {
  const text = readIfThere(`/proc/${pid}/smaps_rollup`);
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
}

/** Not the keeper, whose command names both of its programs. */
export function isTraffic(pid: number): boolean {
  const [, ...words] = readIfThere(`/proc/${pid}/cmdline`).split("\0");
  const program = words.find((word) => !word.startsWith("-"));
  return program?.endsWith("/traffic-main.ts") ?? false;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
