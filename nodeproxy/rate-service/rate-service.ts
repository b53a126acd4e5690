/**
 * The service that counts requests for all nodes, asked about those of one pod; in the pod's own name, from its
 * namespace.
 *
 * Answers at the latest when its timeout ends, and never with an error: what it cannot be asked about passes or not, as
 * MeshConfig says. Who waits for an answer keeps nobody else waiting.
 */
import type { RateLimitServiceSettings } from "../../core/model/mesh-settings.ts";
import { AskError, type AskReason } from "../ask/ask-error.ts";
import type { Side } from "../flow/side.ts";
import type { GlobalLimit } from "../limit/rate-limits.ts";
import type { LimitCaller } from "./limit-caller.ts";
import type { CountedElsewhere } from "./limit-message.ts";

export interface RateServiceParts {
  /** As MeshConfig says now. */
  settings(): RateLimitServiceSettings | undefined;
  /** Connects to one of its endpoints within its timeout; rejects where none can be reached. */
  open(service: RateLimitServiceSettings): Promise<Side>;
}

/** Why the service could not be asked. */
type CannotCount =
  | AskReason
  /** MeshConfig names none. */
  | "unknown"
  /** So many questions were under way that no more are asked. */
  | "busy";

/** `said`: for the log. */
export type RateAnswer =
  | ({ readonly kind: "counted"; readonly said: "permitted" | "denied" } & CountedElsewhere)
  | { readonly kind: "uncounted"; readonly said: CannotCount; readonly isRefused: boolean };

/** Questions at once for one pod: each keeps a request and a stream in memory. */
export const MAX_QUESTIONS = 1000;

interface Known {
  readonly address: string;
  readonly caller: LimitCaller;
}

export class RateService {
  readonly #parts: RateServiceParts;
  #known: Known | undefined;
  #asking = 0;
  #isClosed = false;

  constructor(parts: RateServiceParts) {
    this.#parts = parts;
  }

  async ask(limits: readonly GlobalLimit[]): Promise<RateAnswer> {
    const service = this.#parts.settings();
    // No outage: nobody has ever been to count them, which the status of their TrafficPolicy says.
    if (!service) return { kind: "uncounted", said: "unknown", isRefused: false };
    if (this.#asking >= MAX_QUESTIONS) return uncounted("busy", service);
    this.#asking += 1;
    try {
      const signal = AbortSignal.timeout(service.timeoutMs);
      const caller = await this.#callerOf(service);
      const counted = await caller.count({ domain: service.domain, limits }, signal);
      return { kind: "counted", said: counted.isRefused ? "denied" : "permitted", ...counted };
    } catch (error) {
      return uncounted(error instanceof AskError ? error.reason : "failed", service);
    } finally {
      this.#asking -= 1;
    }
  }

  /** Ends what is asked now. */
  close(): void {
    this.#isClosed = true;
    this.#known?.caller.close();
    this.#known = undefined;
  }

  async #callerOf({ service, port }: RateLimitServiceSettings): Promise<LimitCaller> {
    // gRPC takes memory, which few nodes need.
    const { LimitCaller } = await import("./limit-caller.ts");
    if (this.#isClosed) throw new AskError("unreachable");
    const [namespace = "", host = ""] = service.split("/");
    const address = `${host}.${namespace}.svc:${port}`;
    if (this.#known?.address === address) return this.#known.caller;
    this.#known?.caller.close();
    const caller = new LimitCaller(address, async () => {
      const now = this.#parts.settings();
      if (!now) throw new AskError("unreachable");
      return this.#parts.open(now);
    });
    this.#known = { address, caller };
    return caller;
  }
}

function uncounted(said: CannotCount, { failOpen }: RateLimitServiceSettings): RateAnswer {
  return { kind: "uncounted", said, isRefused: !failOpen };
}
