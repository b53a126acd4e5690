/**
 * Real programs in two captured pods: servers in the one, each behind a Service with a route, and clients in the other, so
 * that both nodes read every request. Not a test itself.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HttpVersion } from "../../core/model/enrolment.ts";
import { type CommandResult, tryCommand } from "../cluster/command.ts";
import { backendsTo, routeRule } from "../fakes/route-rule.ts";
import { type Program, startProgram } from "../world/program.ts";
import { until } from "../world/until.ts";
import { putService } from "./balanced-service.ts";
import { startFromPod } from "./pod-network.ts";
import { createTrafficMesh, enrolment, type TrafficMesh } from "./traffic-mesh.ts";

const SERVICE_PORT = 80;
/** A program that hangs is ended before the test is. */
const PROGRAM_MS = 240_000;

export interface ServerWish {
  /** Of its Service. */
  readonly name: string;
  /** Where it listens in its pod. */
  readonly port: number;
  readonly version: HttpVersion;
}

export interface ProgramMesh extends AsyncDisposable {
  readonly mesh: TrafficMesh;
  /** For files of the programs; removed with the mesh. */
  readonly folder: string;
  /** Where clients have to connect to. */
  addressOf(name: string): string;
  /** A server in its pod; resolves once it listens at these ports. */
  start(command: readonly string[], ports: readonly number[]): Promise<void>;
  /** A client in the calling pod, to its end. */
  run(command: readonly string[], input?: string): Promise<CommandResult>;
}

export async function createProgramMesh(
  prefix: string,
  servers: readonly ServerWish[],
): Promise<ProgramMesh> {
  const mesh = await createTrafficMesh(prefix);
  const { a, b } = mesh.network;
  const folder = mkdtempSync(join(tmpdir(), `weft-${prefix}-`));
  const programs: Program[] = [];
  const addresses = new Map(servers.map(({ name }, i) => [name, `10.96.0.${10 + i}`] as const));
  mesh.put(
    enrolment(b, "b", { httpPorts: servers.map(({ port, version }) => ({ port, version })) }),
  );
  for (const { name, port, version } of servers) {
    putService(mesh, { name, ports: [port], version, address: addresses.get(name) ?? "" });
    const tables = [
      { port: SERVICE_PORT, consumer: "", rules: [routeRule({ backends: backendsTo(name) })] },
    ];
    mesh.put({ kind: "routes", value: { service: `shop/${name}`, tables } });
  }
  async function listens(port: number): Promise<boolean> {
    const socket = startFromPod(b, "127.0.0.1", port);
    const [event] = await Promise.race([
      once(socket, "connect").then(() => [true]),
      once(socket, "error").then(() => [false]),
    ]).catch(() => [false]);
    socket.destroy();
    return event ?? false;
  }
  return {
    mesh,
    folder,
    addressOf: (name) => `${addresses.get(name) ?? ""}:${SERVICE_PORT}`,
    async start(command, ports) {
      const logFile = join(folder, `${programs.length}.log`);
      const program = startProgram({ name: command[0] ?? "", command, netns: b.path, logFile });
      programs.push(program);
      for (const port of ports) {
        await until(`${command.join(" ")} to listen at ${port}`, async () => {
          if (program.child.exitCode !== null) throw new Error(`it ended, see ${logFile}`);
          return (await listens(port)) || undefined;
        });
      }
    },
    run: (command, input = "") =>
      tryCommand(["nsenter", `--net=${a.path}`, ...command], { input, timeoutMs: PROGRAM_MS }),
    async [Symbol.asyncDispose]() {
      await Promise.all(programs.map((program) => program.stop()));
      await mesh[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
