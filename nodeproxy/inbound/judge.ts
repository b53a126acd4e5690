/**
 * May this attempt reach the local pod? Mode first, then policies, always by what rules now.
 *
 * Asked before the pod is dialled and, for open connections, after every change. Deciders are made
 * again only where something that they were made of changed, and pods under the same policies share one.
 */
import type { Attempt } from "../authz/attempt.ts";
import { type Decision, decide } from "../authz/decide.ts";
import { decideMode } from "../authz/decide-mode.ts";
import { createDecider, type Decider } from "../authz/decider.ts";
import type { Denial } from "../authz/verdict.ts";
import type { ConnectionFacts } from "../flow/connection-facts.ts";
import type { Cut } from "../flow/describe-open.ts";
import type { Current } from "../state/current.ts";
import { httpVersionAt } from "./http-version-at.ts";
import { OpenExchanges } from "./open-exchanges.ts";

const PORT_CHANGED: Cut = { reason: "port_protocol_changed" };

export class Judge {
  /** Requests that were judged and run still. */
  readonly exchanges = new OpenExchanges();
  readonly #current: Current;
  readonly #deciders = new Map<string, Decider>();

  constructor(current: Current) {
    this.#current = current;
  }

  decide(uid: string, attempt: Attempt): Decision {
    const mode = decideMode(this.#current.enrolment(uid)?.modes, attempt);
    if (mode.kind === "deny") return { verdict: mode, observed: [] };
    return decide(this.#deciderOf(uid), attempt);
  }

  /** Why a connection may not be open as it is. One that began before its port was HTTP would never be judged by requests. */
  recheck({ pod, attempt, isHttp }: ConnectionFacts): Cut | undefined {
    if (!attempt) return undefined;
    const isHttpNow = httpVersionAt(this.#current.enrolment(pod), attempt.destinationPort);
    if (isHttp && isHttpNow) return this.admit(pod, attempt);
    const { verdict } = this.decide(pod, attempt);
    if (verdict.kind === "deny") return verdict;
    if (isHttp) return { ...PORT_CHANGED, isGentle: true };
    return isHttpNow ? PORT_CHANGED : undefined;
  }

  /** Why a connection may not come at all of which policies cannot be asked yet. */
  admit(uid: string, attempt: Attempt): Denial | undefined {
    const enrolment = this.#current.enrolment(uid);
    if (!enrolment) return { kind: "deny", reason: "policy_unknown" };
    const mode = decideMode(enrolment.modes, attempt);
    return mode.kind === "deny" ? mode : undefined;
  }

  /** Whom that policy asks; "" where it asks nobody. */
  providerOf(policy: string): string {
    return this.#current.policy(policy)?.provider ?? "";
  }

  /**
   * To be called after every change of enrolments, policies or settings, before the next `decide`.
   * `changed`: the policies that it named.
   */
  refresh(changed: ReadonlySet<string>): void {
    const made = new Set<Decider>();
    for (const [uid, previous] of this.#deciders) {
      const decider = this.#make(uid, { previous, changed, made });
      if (!decider) {
        this.#deciders.delete(uid);
        continue;
      }
      this.#deciders.set(uid, decider);
      made.add(decider);
    }
  }

  #deciderOf(uid: string): Decider | undefined {
    const known = this.#deciders.get(uid);
    if (known) return known;
    const made = this.#make(uid, { made: new Set(this.#deciders.values()) });
    if (made) this.#deciders.set(uid, made);
    return made;
  }

  #make(uid: string, { previous, changed, made }: Remake): Decider | undefined {
    const enrolment = this.#current.enrolment(uid);
    const settings = this.#current.settings();
    if (!enrolment || !settings) return undefined;
    const { policies } = enrolment;
    const shared = sharedBy(policies, made);
    if (shared) return shared;
    return createDecider(
      {
        refs: policies,
        policyOf: (ref) => this.#current.policy(ref),
        settings,
        providers: settings.authorizationProviders?.map(({ name }) => name) ?? [],
        ...(changed ? { changed } : {}),
      },
      previous,
    );
  }
}

interface Remake {
  readonly previous?: Decider;
  readonly changed?: ReadonlySet<string>;
  /** By what is known now. */
  readonly made: ReadonlySet<Decider>;
}

/** The decider of another pod under the same policies. */
function sharedBy(refs: readonly string[], made: ReadonlySet<Decider>): Decider | undefined {
  for (const decider of made) {
    const other = decider.refs;
    if (other === refs) return decider;
    if (other.length === refs.length && other.every((ref, i) => ref === refs[i])) return decider;
  }
  return undefined;
}
