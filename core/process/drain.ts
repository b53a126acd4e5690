/**
 * The life of a Weft program: start, run until a signal, stop gracefully within a budget, exit.
 *
 * Nobody can look into it (`seal.ts`). SIGTERM and SIGINT start the graceful stop, a second one ends it at once. An unhandled rejection is
 * a bug (style.md, Errors 5): log, exit 1. Only `main.ts` files call this.
 */
import type { Log } from "./log.ts";
import { sealProcess } from "./seal.ts";

export interface Running {
  /** Not ready, stop accepting, drain, close. Resolves once nothing is left open. */
  close(): Promise<void>;
}

export interface ProgramOptions {
  readonly log: Log;
  /** How long `close()` may take before the program exits all the same, with 1. */
  readonly drainBudgetMs: number;
  /** `signal` aborts when the program is told to stop before it has started. */
  readonly start: (signal: AbortSignal) => Promise<Running>;
}

/** Resolves with the exit code once the program has stopped. A start that fails is logged and gives 1. */
export async function runProgram({ log, drainBudgetMs, start }: ProgramOptions): Promise<number> {
  process.on("unhandledRejection", (error) => exitAtOnce(log, "unhandled rejection", error));
  process.on("uncaughtException", (error) => exitAtOnce(log, "uncaught exception", error));
  sealProcess(log);
  const stop = new AbortController();
  const stopped = stopSignal(log, stop);
  try {
    const running = await start(stop.signal);
    await stopped;
    return await closeInTime(running, { log, drainBudgetMs });
  } catch (error) {
    if (stop.signal.aborted) return 0;
    log.fatal({ err: error }, "could not start");
    return 1;
  }
}

/** Resolves at the first SIGTERM or SIGINT; a second one exits with 1. */
function stopSignal(log: Log, stop: AbortController): Promise<void> {
  return new Promise((resolve) => {
    function onSignal(signal: NodeJS.Signals): void {
      if (stop.signal.aborted) {
        log.warn({ signal }, "stopped without draining");
        process.exit(1);
      }
      log.info({ signal }, "stopping");
      stop.abort();
      resolve();
    }
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

async function closeInTime(
  running: Running,
  { log, drainBudgetMs }: Pick<ProgramOptions, "log" | "drainBudgetMs">,
): Promise<number> {
  const { promise: tooLate, resolve } = Promise.withResolvers<"too_late">();
  const timer = setTimeout(() => resolve("too_late"), drainBudgetMs);
  const outcome = await Promise.race([running.close(), tooLate]);
  clearTimeout(timer);
  if (outcome === "too_late") {
    log.error({ drainBudgetMs }, "drain budget exceeded");
    return 1;
  }
  log.info("stopped");
  return 0;
}

function exitAtOnce(log: Log, message: string, error: unknown): void {
  log.fatal({ err: error }, message);
  process.exit(1);
}
