/**
 * A worker's access log: lines are formatted here and written by the main thread, in batches. Two threads that
 * wrote to one pipe would tear each other's lines.
 */
import { type AccessLog, formatAccessLine } from "../telemetry/access-log.ts";

const BATCH_LENGTH = 65_536;
const FLUSH_MS = 200;

export function createAccessBatches(post: (text: string) => void): AccessLog {
  let waiting = "";
  function flush(): void {
    if (waiting !== "") post(waiting);
    waiting = "";
  }
  const timer = setInterval(flush, FLUSH_MS).unref();
  return {
    write: (facts, outcome) => {
      waiting += formatAccessLine(facts, outcome, Date.now());
      if (waiting.length >= BATCH_LENGTH) flush();
    },
    close: async () => {
      clearInterval(timer);
      flush();
    },
  };
}
