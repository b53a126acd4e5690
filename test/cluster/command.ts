/**
 * Runs one outside program to its end and gives what it printed. Every other file of the cluster
 * harness goes through here, so a failure always names the command and what it said.
 */
import { type ChildProcess, spawn } from "node:child_process";

export interface CommandOptions {
  /** Written to the program's standard input. */
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Gives up, kills the program and throws after this long; no limit where absent. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program ended with another code than 0, could not be started, or took too long. */
class CommandError extends Error {
  override readonly name = "CommandError";
  readonly result: CommandResult;

  constructor(message: string, result: CommandResult) {
    super(message);
    this.result = result;
  }
}

/** Runs `argv` and gives its code and output, whatever the code is. */
export async function tryCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: options.timeoutMs,
    killSignal: "SIGKILL",
  });
  // A program that ends without reading its input closes the pipe: its exit code tells.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return collect(child);
}

/** Runs `argv` and gives its standard output; throws CommandError where the code is not 0. */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await tryCommand(argv, options);
  if (result.code !== 0) {
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-4_000);
    throw new CommandError(
      `${argv.join(" ").slice(0, 400)} ended with ${result.code}: ${said}`,
      result,
    );
  }
  return result.stdout;
}

async function collect(child: ChildProcess): Promise<CommandResult> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  child.once("error", (error) => resolve({ code: 127, stdout: "", stderr: error.message }));
  child.once("close", (code) =>
    resolve({
      // Null: ended by a signal, which for us is the time limit.
      code: code ?? 124,
      stdout: Buffer.concat(stdout).toString(),
      stderr: Buffer.concat(stderr).toString(),
    }),
  );
  return promise;
}
