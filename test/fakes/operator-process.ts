/** The real operator as its own process, on a fake API server; killed by the test or at its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const MAIN = new URL("../../operator/main.ts", import.meta.url).pathname;

export interface OperatorProcessOptions {
  /** For the kubeconfig. */
  readonly directory: string;
  readonly server: string;
  readonly podName: string;
}

export class OperatorProcess {
  readonly #lines: string[] = [];
  /** Emits `line` for each line of its log. */
  readonly #log = new EventEmitter();
  readonly exited: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #ports = new Map<string, number>();
  readonly #ready = Promise.withResolvers<void>();

  constructor({ directory, server, podName }: OperatorProcessOptions) {
    const kubeconfig = join(directory, `kubeconfig-${podName}`);
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
        // So that the fake API server can tell the replicas apart.
        users: [{ name: "u", user: { token: podName } }],
        contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
        "current-context": "x",
      }),
    );
    const listen = ["grpc", "webhook", "metrics"].flatMap((name) => {
      return [`--${name}-listen`, "127.0.0.1:0"];
    });
    const own = ["--image", "weft:1", "--pod-name", podName];
    this.#child = spawn(process.execPath, ["--no-warnings", MAIN, ...listen, ...own], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, KUBECONFIG: kubeconfig },
    });
    this.exited = once(this.#child, "exit");
    this.#ready.promise.catch(() => undefined);
    this.#readLog();
  }

  /** Resolves once it serves. Rejects where it ends before. */
  async ready(): Promise<this> {
    await this.#ready.promise;
    return this;
  }

  get grpcAddress(): string {
    return `127.0.0.1:${this.#ports.get("ready")}`;
  }

  get webhookPort(): number {
    return this.#ports.get("webhooks listen") ?? 0;
  }

  /** Every line of its log with this text, once there is one. */
  async logged(text: string): Promise<readonly string[]> {
    for (;;) {
      const found = this.#lines.filter((line) => line.includes(text));
      if (found.length > 0) return found;
      await once(this.#log, "line");
    }
  }

  /** Those so far. */
  linesWith(text: string): readonly string[] {
    return this.#lines.filter((line) => line.includes(text));
  }

  async metrics(): Promise<string> {
    return (await this.#ask("/metrics")).text();
  }

  /** 200 or 503. */
  async readiness(): Promise<number> {
    return this.statusOf("/readyz");
  }

  /** Of HTTP. */
  async statusOf(path: string): Promise<number> {
    return (await this.#ask(path)).status;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await this.exited;
  }

  async #ask(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#ports.get("metrics listen")}${path}`);
  }

  /** Reads to the end: a program whose standard error is full would stand still. */
  #readLog(): void {
    if (!this.#child.stderr) throw new Error("no standard error");
    const lines = createInterface({ input: this.#child.stderr });
    lines.on("line", (line) => {
      this.#lines.push(line);
      this.#log.emit("line");
      const { msg, port } = JSON.parse(line) as { readonly msg: string; readonly port?: number };
      if (port !== undefined) this.#ports.set(msg, port);
      if (msg === "ready") this.#ready.resolve();
    });
    lines.on("close", () => {
      const last = this.#lines.at(-1) ?? "it said nothing";
      this.#ready.reject(new Error(`the operator ended before it was ready: ${last}`));
    });
  }
}
