/**
 * A child process of a test world: started in a namespace, its output kept in a file, its end waited for.
 *
 * Stopping is by pid and waits until the process is gone.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";

export interface ProgramOptions {
  readonly name: string;
  readonly command: readonly string[];
  /** Path of a network namespace to run in; this one where absent. */
  readonly netns?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** File that takes standard output and standard error. */
  readonly logFile: string;
  /** Opens Node's IPC channel to the child. */
  readonly channel?: boolean;
}

export interface Program {
  readonly name: string;
  readonly child: ChildProcess;
  /** Sends the signal (SIGTERM) and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export function startProgram(options: ProgramOptions): Program {
  const { name, netns, env, logFile, channel } = options;
  const inside = netns === undefined ? [] : ["nsenter", `--net=${netns}`];
  const [command = "", ...args] = [...inside, ...options.command];
  const log = openSync(logFile, "a");
  const child = spawn(command, args, {
    stdio: channel ? ["ignore", log, log, "ipc"] : ["ignore", log, log],
    env: { ...process.env, ...env },
  });
  return {
    name,
    child,
    async stop(signal = "SIGTERM") {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, "exit");
      child.kill(signal);
      await exit;
    },
  };
}
