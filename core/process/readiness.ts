/**
 * Is the program ready to serve, and if not, what is missing?
 *
 * Every part that must have started takes a token by name before anything listens; ready means that
 * every token has been met and nobody has said that the program is stopping.
 */
export interface ReadinessToken {
  met(): void;
  /** Takes readiness back; `reason` is shown to whoever asks. */
  missing(reason: string): void;
}

export class Readiness {
  readonly #missing = new Map<string, string>();
  #isStopping = false;

  /** A new condition, missing until its token is met. Each name once. */
  require(name: string): ReadinessToken {
    if (this.#missing.has(name)) throw new Error(`readiness ${name} is required twice`);
    this.#missing.set(name, "not started");
    return {
      met: () => void this.#missing.delete(name),
      missing: (reason) => void this.#missing.set(name, reason),
    };
  }

  /** From here on never ready again: callers should go elsewhere. */
  stop(): void {
    this.#isStopping = true;
  }

  isReady(): boolean {
    return !this.#isStopping && this.#missing.size === 0;
  }

  /** What is missing, as `name: reason`, in the order it was required. */
  missing(): readonly string[] {
    const missing = [...this.#missing].map(([name, reason]) => `${name}: ${reason}`);
    return this.#isStopping ? ["stopping", ...missing] : missing;
  }
}
