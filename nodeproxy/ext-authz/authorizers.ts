/**
 * The external authorizers that the policies of one pod ask, by name; in the pod's own name, from its namespace.
 *
 * Answers at the latest when the provider's timeout ends, and never with an error: what cannot be asked is denied,
 * unless the provider is set to fail open. What is said no to stays denied.
 */
import type { AuthorizationProvider } from "../../core/model/authorization-provider.ts";
import { AskError, type AskReason } from "../ask/ask-error.ts";
import type { Side } from "../flow/side.ts";
import type { Question, Said } from "./check-message.ts";
import type { GrpcCaller } from "./grpc-caller.ts";

export interface AuthorizersParts {
  /** As MeshConfig says now. */
  providerOf(name: string): AuthorizationProvider | undefined;
  /** Connects to one of its endpoints within its timeout; rejects where none can be reached. */
  open(provider: AuthorizationProvider): Promise<Side>;
}

/** Why an external authorizer could not be asked. */
type CannotAsk =
  | AskReason
  /** MeshConfig names no such provider. */
  | "unknown"
  /** It is asked over HTTP, and so about HTTP requests alone. */
  | "http_only";

export interface Told extends Said {
  /** For the log. */
  readonly said: "permitted" | "denied" | CannotAsk;
  readonly terms: string;
}

const DENIED = "RBAC: access denied";

interface Known {
  readonly terms: string;
  readonly caller: GrpcCaller;
}

export class Authorizers {
  readonly #parts: AuthorizersParts;
  readonly #known = new Map<string, Known>();
  #isClosed = false;

  constructor(parts: AuthorizersParts) {
    this.#parts = parts;
  }

  /** What an answer depends on besides the question; "" where nobody has the name. */
  termsOf(name: string): string {
    const provider = this.#parts.providerOf(name);
    return provider ? termsOf(provider) : "";
  }

  async ask(name: string, question: Question): Promise<Told> {
    const provider = this.#parts.providerOf(name);
    if (!provider) return { answer: "deny", said: "unknown", terms: "" };
    const terms = termsOf(provider);
    // No outage: it could never be asked, so it does not fail open either.
    if (provider.protocol.kind === "http" && !question.head) {
      return { answer: "deny", said: "http_only", terms };
    }
    try {
      const given = await this.#check(provider, question, terms);
      return { ...given, said: given.answer === "permit" ? "permitted" : "denied", terms };
    } catch (error) {
      const said = error instanceof AskError ? error.reason : "failed";
      if (provider.failOpen) return { answer: "permit", said, terms };
      const denial = { status: provider.statusOnError, body: DENIED, fields: [] };
      return { answer: "deny", said, terms, denial };
    }
  }

  async #check(provider: AuthorizationProvider, question: Question, terms: string): Promise<Said> {
    const { protocol, timeoutMs } = provider;
    const signal = AbortSignal.timeout(timeoutMs);
    if (protocol.kind === "grpc" || !question.head) {
      const caller = await this.#callerOf(provider, terms);
      return caller.check(question, signal);
    }
    const { checkOverHttp } = await import("./http-caller.ts");
    const open = () => this.#parts.open(provider);
    return checkOverHttp({ open, protocol, head: question.head }, signal);
  }

  /** Ends what is asked now. */
  close(): void {
    this.#isClosed = true;
    for (const { caller } of this.#known.values()) caller.close();
    this.#known.clear();
  }

  async #callerOf(provider: AuthorizationProvider, terms: string): Promise<GrpcCaller> {
    // gRPC takes memory, which few nodes need.
    const { GrpcCaller } = await import("./grpc-caller.ts");
    if (this.#isClosed) throw new AskError("unreachable");
    const { name, service, port } = provider;
    const known = this.#known.get(name);
    if (known?.terms === terms) return known.caller;
    known?.caller.close();
    const [namespace = "", host = ""] = service.split("/");
    const caller = new GrpcCaller(`${host}.${namespace}.svc:${port}`, async () => {
      const now = this.#parts.providerOf(name);
      if (!now) throw new AskError("unreachable");
      return this.#parts.open(now);
    });
    this.#known.set(name, { terms, caller });
    return caller;
  }
}

function termsOf({ service, port, failOpen, protocol }: AuthorizationProvider): string {
  const how = protocol.kind === "http" ? JSON.stringify(protocol) : protocol.kind;
  return `${how} ${service} ${port} ${failOpen}`;
}
