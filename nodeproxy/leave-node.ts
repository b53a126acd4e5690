/**
 * How a traffic process that is told to end leaves its node.
 *
 * One that another has taken over from only serves what it has open. One that nobody has taken over from goes on
 * accepting meanwhile, for the next is started once it is gone: until then nobody else would answer.
 */
/** For calls that began while others were waited for: each longer is one in which nobody accepts. */
const LAST_CALLS_MS = 1_000;

export interface Leaving {
  /** Nobody else does. */
  readonly isAccepting: () => boolean;
  /** Resolves once nothing is open of what is open now. */
  readonly outlived: () => Promise<void>;
  /** Stops accepting. Resolves once the last connection has ended. */
  readonly drained: () => Promise<void>;
  readonly withinMs: number;
}

/** Resolves when no connection is worth waiting for any longer. */
export async function leaveNode({
  isAccepting,
  outlived,
  drained,
  withinMs,
}: Leaving): Promise<void> {
  if (isAccepting()) await soonest(outlived(), withinMs - 2 * LAST_CALLS_MS);
  const isAlone = isAccepting();
  const ended = drained();
  await (isAlone ? soonest(ended, LAST_CALLS_MS) : ended);
}

async function soonest(end: Promise<void>, timeMs: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, timeMs);
  await Promise.race([end, over.promise]);
  clearTimeout(timer);
}
