/**
 * How a traffic process that is told to end leaves its node.
 *
 * One that another has taken over from only serves what it has open. One that nobody has taken over from goes on
 * accepting for the pods of its node until somebody has, until no pod is left, or until its time is over: then the next is
 * started only once it is gone, and until then nobody else would answer.
 */
/** For calls that began just before: each longer is one in which nobody accepts. */
const LAST_CALLS_MS = 1_000;
/** Between two looks whether somebody has taken over, or the last pod has gone: nobody waits for it. */
const LOOK_MS = 100;

export interface Leaving {
  /** There are pods, and nobody else does. */
  readonly isAccepting: () => boolean;
  /** Stops accepting. Resolves once the last connection has ended. */
  readonly drained: () => Promise<void>;
  readonly withinMs: number;
}

/** Resolves when no connection is worth waiting for any longer. */
export async function leaveNode({ isAccepting, drained, withinMs }: Leaving): Promise<void> {
  for (let leftMs = withinMs - 2 * LAST_CALLS_MS; leftMs > 0 && isAccepting(); leftMs -= LOOK_MS) {
    await after(LOOK_MS);
  }
  const isAlone = isAccepting();
  const ended = drained();
  await (isAlone ? soonest(ended, LAST_CALLS_MS) : ended);
}

function after(timeMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, timeMs);
  });
}

async function soonest(end: Promise<void>, timeMs: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, timeMs);
  await Promise.race([end, over.promise]);
  clearTimeout(timer);
}
