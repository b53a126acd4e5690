/** The load generators of the benches: wrk (as fast as it goes), fortio (a fixed rate, and gRPC) and iperf3 (bulk). */
import { spawn } from "node:child_process";
import { once } from "node:events";

export interface HttpLoadTarget {
  /** Path of the client's network namespace. */
  readonly netns: string;
  readonly address: string;
  readonly httpPort: number;
}

export interface LoadTarget extends HttpLoadTarget {
  readonly bulkPort: number;
}

export async function wrk(target: HttpLoadTarget, options: WrkOptions): Promise<number> {
  const { newConnections, headers = [] } = options;
  const lines = newConnections ? ["Connection: close", ...headers] : headers;
  const output = await runInside(target.netns, [
    "wrk",
    "-t1",
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    ...lines.flatMap((line) => ["-H", line]),
    urlOf(target),
  ]);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0);
  const errors = /Socket errors: .*|Non-2xx.*/.exec(output)?.[0];
  if (requests === 0) throw new Error(`wrk: ${output}`);
  if (errors !== undefined) console.error(`    wrk says: ${errors}`);
  return requests;
}

export interface WrkOptions {
  readonly connections: number;
  readonly seconds: number;
  /** A connection for each request. */
  readonly newConnections: boolean;
  /** `name: value`, with every request. */
  readonly headers?: readonly string[];
}

export interface Latency {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** 1,000 requests a second over 4 connections, evenly; latency from the intended moment of sending is fortio's. */
export async function fortio(
  target: HttpLoadTarget,
  program: string,
  seconds: number,
): Promise<Latency> {
  const output = await runInside(target.netns, [
    program,
    "load",
    "-c=4",
    "-qps=1000",
    `-t=${seconds}s`,
    "-p=50,99",
    "-r=0.00001",
    "-nocatchup",
    "-uniform",
    urlOf(target),
  ]);
  return { p50Us: percentile(output, "50"), p99Us: percentile(output, "99") };
}

/** So many requests over 32 connections at once, as fast as it goes. */
async function fortioCount(
  target: HttpLoadTarget,
  program: string,
  { requests, newConnections }: { readonly requests: number; readonly newConnections: boolean },
): Promise<void> {
  const output = await runInside(target.netns, [
    program,
    "load",
    "-quiet",
    "-c=32",
    "-qps=0",
    `-n=${requests}`,
    `-keepalive=${!newConnections}`,
    urlOf(target),
  ]);
  if (!output.includes("All done")) throw new Error(`fortio: ${output.slice(-500)}`);
}

/**
 * The same work for every target, by count and not by time: a node proxy runs for weeks, and what its first
 * seconds cost (compilers, growing heaps) is not what is asked for.
 */
export async function warmUp(load: HttpLoadTarget, program: string): Promise<void> {
  await fortioCount(load, program, { requests: 40_000, newConnections: false });
  await fortioCount(load, program, { requests: 12_000, newConnections: true });
}

/** Unary gRPC calls answered within the time, over 16 connections with 4 calls at once on each. */
export async function grpcCalls(
  { netns, address, grpcPort }: GrpcLoadTarget,
  program: string,
  seconds: number,
): Promise<number> {
  const to = `${address}:${grpcPort}`;
  const shape = ["-c=16", "-s=4", "-qps=0", `-t=${seconds}s`];
  const output = await runInside(netns, [program, "load", "-grpc", "-ping", ...shape, to]);
  const calls = Number(/All done (\d+) calls/.exec(output)?.[1] ?? 0);
  const failed = /^Health \S*: (?!\d+ \(100)|ERROR.*|[1-9]\d* errors/m.exec(output)?.[0];
  if (calls === 0) throw new Error(`fortio: ${output.slice(-500)}`);
  if (failed !== undefined) console.error(`    fortio says: ${failed}`);
  return calls;
}

export interface GrpcLoadTarget {
  readonly netns: string;
  readonly address: string;
  readonly grpcPort: number;
}

function percentile(output: string, name: string): number {
  const seconds = Number(new RegExp(`# target ${name}% ([0-9.e-]+)`).exec(output)?.[1]);
  if (Number.isNaN(seconds)) throw new Error(`fortio: ${output.slice(-500)}`);
  return seconds * 1e6;
}

/** Bytes that one stream moved. */
export async function bulk(target: LoadTarget, seconds: number): Promise<number> {
  const output = await runInside(target.netns, [
    "iperf3",
    `--client=${target.address}`,
    `--port=${target.bulkPort}`,
    `--time=${seconds}`,
    "--json",
  ]);
  const result = JSON.parse(output) as {
    end?: { sum_received?: { bytes: number } };
    error?: string;
  };
  const bytes = result.end?.sum_received?.bytes;
  if (bytes === undefined) throw new Error(`iperf3: ${result.error}`);
  return bytes;
}

function urlOf({ address, httpPort }: HttpLoadTarget): string {
  return `http://${address}:${httpPort}/`;
}

async function runInside(netns: string, command: readonly string[]): Promise<string> {
  const child = spawn("nsenter", [`--net=${netns}`, ...command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  child.stderr.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  await once(child, "close");
  return output;
}
