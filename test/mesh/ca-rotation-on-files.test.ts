/** The real operator on a directory rotates its root, is killed in the middle, and goes on. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createFileKeyStore } from "../../operator/ca/file-key-store.ts";

const MAIN = new URL("../../operator/main.ts", import.meta.url).pathname;
const ROTATION = `
apiVersion: weft.dev/v1
kind: CARotation
metadata: { name: first }
spec: { authority: root }
`;

interface Line {
  readonly msg: string;
  readonly port?: number;
  readonly phase?: string;
}

class Operator {
  readonly #child: ChildProcess;
  readonly #lines: Line[] = [];
  readonly #told = new EventEmitter();

  constructor(directory: string) {
    function at(name: string): string {
      return join(directory, name);
    }
    const files = ["--source", `file:${at("objects")}`, "--ca-dir", at("ca")];
    const outside = ["--join-token-file", at("join-token"), "--roots-out", at("roots.pem")];
    const listen = ["--grpc-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    const args = ["--no-warnings", MAIN, ...files, ...outside, ...listen];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    if (!this.#child.stderr) throw new Error("no log");
    createInterface({ input: this.#child.stderr }).on("line", (text) => {
      this.#lines.push(JSON.parse(text) as Line);
      this.#told.emit("line");
    });
  }

  /** The first line that is so, also one that was told already. */
  async said(isWanted: (line: Line) => boolean): Promise<Line> {
    for (let next = 0; ; next += 1) {
      while (next >= this.#lines.length) await once(this.#told, "line");
      const line = this.#lines[next];
      if (line && isWanted(line)) return line;
    }
  }

  async reaches(phase: string): Promise<void> {
    await this.said((line) => line.msg === "CA rotation moved on" && line.phase === phase);
  }

  async serves(rootsPem: string): Promise<boolean> {
    const { port = 0 } = await this.said(({ msg }) => msg === "ready");
    const options = { port, host: "127.0.0.1", ca: rootsPem, ALPNProtocols: ["h2"] };
    const socket: TLSSocket = connect({
      ...options,
      servername: "localhost",
      rejectUnauthorized: false,
    });
    await once(socket, "secureConnect");
    const { authorized } = socket;
    socket.destroy();
    return authorized;
  }

  async status(): Promise<{ readonly rotations: readonly object[] }> {
    const { port } = await this.said(({ msg }) => msg === "metrics listen");
    const answer = await fetch(`http://127.0.0.1:${port}/status`);
    return (await answer.json()) as { readonly rotations: readonly object[] };
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

let directory: string;
let operator: Operator;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "weft-rotation-"));
  mkdirSync(join(directory, "objects"));
});

afterEach(async () => {
  await operator.kill();
  rmSync(directory, { recursive: true });
});

function published(): string {
  return readFileSync(join(directory, "roots.pem"), "utf8");
}

test("operator on files: rotates its root, over a kill in the middle, once", async () => {
  operator = new Operator(directory);
  await operator.said(({ msg }) => msg === "ready");
  const before = published();
  writeFileSync(join(directory, "objects/rotation.yaml"), ROTATION);
  await operator.reaches("Add");
  expect(published().match(/BEGIN/g)).toHaveLength(2);
  await operator.kill();
  operator = new Operator(directory);
  await operator.reaches("Reissue");
  expect(published().match(/BEGIN/g)).toHaveLength(2);
  expect(await operator.serves(before)).toBe(false);
  expect(await operator.serves(published())).toBe(true);
  await operator.reaches("Complete");
  expect(published().match(/BEGIN/g)).toHaveLength(1);
  expect(published()).not.toBe(before);
  expect(await operator.serves(published())).toBe(true);
  const complete = { name: "first", phase: "Complete", reason: "Completed" };
  expect((await operator.status()).rotations).toMatchObject([complete]);
  const after = await createFileKeyStore(join(directory, "ca")).read();
  expect(after?.standbyKeyPem).toBeUndefined();
  await operator.kill();
  operator = new Operator(directory);
  await operator.reaches("Complete");
  expect(await createFileKeyStore(join(directory, "ca")).read()).toEqual(after);
});
