/**
 * The one way a Weft program logs: JSON lines by pino, on standard error or a file.
 *
 * Messages are constant; facts go into fields. Never called with a key, a token or a whole request.
 */
import { type Logger, pino } from "pino";
import type { LogLevel } from "./log-level.ts";

export type Log = Logger;

export interface LogOptions {
  /** Name of the program, in every line. */
  readonly name: string;
  readonly level: LogLevel;
  /** Path of a file to append to; standard error where absent. Written synchronously: a crash loses nothing. */
  readonly file?: string;
}

export function createLog({ name, level, file }: LogOptions): Log {
  const destination = pino.destination({ dest: file ?? 2, sync: true });
  return pino(
    {
      name,
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}
