/**
 * What the threads of a process need to use shared memory together: a lock in one of its words, which tells the worker
 * that holds it, and a clock.
 */

const SPINS = 200;
/** Between looks at a lock that stays shut: its holder lost its processor, or died. */
const LOOK_MS = 1;

/** Waits until the lock is open. For moments only. */
export function shutLock(words: Int32Array, at: number, worker: number): void {
  for (let tries = 0; ; tries += 1) {
    const holder = Atomics.compareExchange(words, at, 0, worker + 1);
    if (holder === 0) return;
    if (tries >= SPINS) Atomics.wait(words, at, holder, LOOK_MS);
  }
}

export function openLock(words: Int32Array, at: number): void {
  Atomics.store(words, at, 0);
}

/** Where the worker, whose thread has ended, holds it. */
export function openLockOf(worker: number, words: Int32Array, at: number): void {
  Atomics.compareExchange(words, at, worker + 1, 0);
}

/** By the machine's clock that never goes back, where `performance.now()` begins when each thread likes. */
export function steadyMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
