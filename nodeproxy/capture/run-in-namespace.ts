/**
 * Runs a program inside a pod's network namespace and waits for its end.
 *
 * By nsenter(1) and a descriptor, so that this process itself never enters for longer than a bracket.
 */
import { spawn } from "node:child_process";
import type { NetworkNamespace } from "../sys/namespace.ts";

/** No rule takes this long; a program that hangs must not stop the audit. */
const TIMEOUT_MS = 20_000;

export interface ProgramResult {
  /** 0 for success; -1 where a signal ended it or it could not be started. */
  readonly code: number;
  readonly stdout: string;
  /** Also says why the program could not be started. */
  readonly stderr: string;
}

export async function runInNamespace(
  namespace: NetworkNamespace,
  command: readonly string[],
  input = "",
): Promise<ProgramResult> {
  const child = spawn("nsenter", ["--net=/proc/self/fd/3", "--", ...command], {
    // The namespace becomes descriptor 3 of the child.
    stdio: ["pipe", "pipe", "pipe", namespace.fd],
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const { promise, resolve } = Promise.withResolvers<ProgramResult>();
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
  // EPIPE where the program ended without reading: its code says why.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(input);
  child.on("error", (error) => {
    resolve({ code: -1, stdout: "", stderr: error.message });
  });
  child.on("close", (code) => {
    resolve({ code: code ?? -1, stdout: text(stdout), stderr: text(stderr).trim() });
  });
  return promise;
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString("utf8");
}
