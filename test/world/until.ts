/** Waiting for a state of another process that sends no event: asks again until it holds, never just sleeps. */
import { setTimeout as delay } from "node:timers/promises";

/** Resolves with the first answer that is not undefined; rejects with what was awaited after `limitMs`. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  limitMs = 120_000,
): Promise<T> {
  const endMs = performance.now() + limitMs;
  let last: unknown;
  while (performance.now() < endMs) {
    try {
      const answer = await ask();
      last = undefined;
      if (answer !== undefined) return answer;
    } catch (cause) {
      last = cause;
    }
    await delay(20);
  }
  throw new Error(`waited ${limitMs} ms for ${what}`, { cause: last });
}
