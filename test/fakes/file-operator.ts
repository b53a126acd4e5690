/** The real operator as its own process, on a directory of YAML files; killed by the test or at its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { OPERATOR } from "./line-operator.ts";
import { WatchingNode } from "./watching-node.ts";

const MAIN = new URL("../../operator/main.ts", import.meta.url).pathname;

export class FileOperator {
  readonly #directory: string;
  #child: ChildProcess | undefined;
  #grpcPort = 0;

  /** `directory` keeps everything over a restart. */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(join(directory, "objects"), { recursive: true });
  }

  /** Replaces a file of objects whole. */
  put(file: string, yaml: string): void {
    writeFileSync(join(this.#directory, "objects", file), yaml);
  }

  remove(file: string): void {
    rmSync(join(this.#directory, "objects", file));
  }

  /** Resolves once it serves. */
  async start(): Promise<void> {
    const files = ["--source", `file:${this.#file("objects")}`, "--ca-dir", this.#file("ca")];
    const token = ["--join-token-file", this.#file("join-token")];
    const roots = ["--roots-out", this.#file("roots.pem")];
    const listen = ["--grpc-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    const args = ["--no-warnings", MAIN, ...files, ...token, ...roots, ...listen];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    for await (const line of createInterface({ input: child.stderr })) {
      const { msg, port } = JSON.parse(line) as { readonly msg: string; readonly port: number };
      if (msg !== "ready") continue;
      child.stderr.resume();
      this.#grpcPort = port;
      return;
    }
    throw new Error("the operator ended before it was ready");
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  connect(node: string): WatchingNode {
    return new WatchingNode(node, {
      address: `127.0.0.1:${this.#grpcPort}`,
      roots: () => readFileSync(this.#file("roots.pem"), "utf8"),
      serverIdentity: OPERATOR,
      token: async () => readFileSync(this.#file("join-token"), "utf8"),
      self: { node, instance: "the only one" },
    });
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }
}
