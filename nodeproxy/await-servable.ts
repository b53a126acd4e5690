/**
 * When may pods be taken that the node proxy before still serves? Once they would be answered here as they are there:
 * by the configuration of now, with their certificates. Sockets that are accepted from any earlier would refuse.
 *
 * Never gives up on the configuration: until it has come, the other goes on.
 */
const LOOK_MS = 20;
/** The operator may be away, and then the snapshot rules here as it does there. */
const SYNC_MS = 3_000;
/** One pod may be refused its certificate, which the one before has no more than this one. */
const LEAVES_MS = 10_000;

export interface Servable {
  readonly configuration: {
    readonly isKnown: boolean;
    identities(): readonly (readonly [uid: string, ...rest: unknown[]])[];
  };
  /** `synced`: the operator has said all it has to say. */
  readonly stream: { readonly state: string };
  readonly certificates: { isServed(uid: string): boolean };
  readonly signal: AbortSignal;
}

/** `uids`: those pods; at once where there are none. Rejects with the signal's reason. */
export async function awaitServable(uids: readonly string[], of: Servable): Promise<void> {
  const { configuration, stream, certificates, signal } = of;
  const startedMs = performance.now();
  function hasLeaves(): boolean {
    const wanted = configuration.identities().filter(([uid]) => uids.includes(uid));
    return wanted.every(([uid]) => certificates.isServed(uid));
  }
  function isWorthWaiting(): boolean {
    const waitedMs = performance.now() - startedMs;
    if (!configuration.isKnown) return true;
    if (stream.state !== "synced" && waitedMs < SYNC_MS) return true;
    return waitedMs < LEAVES_MS && !hasLeaves();
  }
  while (uids.length > 0 && isWorthWaiting()) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    signal.throwIfAborted();
  }
}
