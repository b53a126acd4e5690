/**
 * Whose request is it, by its token? Asked for each request to a workload, before authorization.
 *
 * No token passes, and without a principal. Whatever else is not a valid token of a known issuer is
 * refused, so that policies never see a doubtful one. Never decides what the principal may do.
 */
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { JwtRule, RequestAuthentication } from "../../core/model/request-authentication.ts";
import type { Claims } from "../authz/attempt.ts";
import { type FoundToken, findTokens, type TokenCarrier } from "./find-tokens.ts";
import type { KeySet } from "./key-set.ts";
import type { KeySets } from "./key-sets.ts";
import { readToken, type UnverifiedToken } from "./read-token.ts";
import type { JwtRefusal } from "./refusal.ts";
import { type RequestChanges, requestChanges } from "./request-changes.ts";
import { knowsKey, type TokenVerdict, verifyToken } from "./verify-token.ts";

export type Authentication =
  | {
      readonly kind: "passed";
      /** For `HttpFacts.claims`; absent where the request carries no token. */
      readonly claims?: Claims;
      /** To be made before the workload sees the request. */
      readonly changes: RequestChanges;
    }
  /** Answered 401. */
  | { readonly kind: "refused"; readonly reason: JwtRefusal };

/** `Current` is one. */
export interface AuthenticationView {
  enrolment(uid: string): Pick<Enrolment, "requestAuthentications"> | undefined;
  requestAuthentication(ref: string): RequestAuthentication | undefined;
}

export interface AuthenticatorParts {
  readonly view: AuthenticationView;
  readonly keySets: Pick<KeySets, "keys" | "newerKeys">;
  readonly now?: () => number;
}

const UNCHANGED: Authentication = { kind: "passed", changes: { remove: [], set: [] } };

export class RequestAuthenticator {
  readonly #view: AuthenticationView;
  readonly #keySets: AuthenticatorParts["keySets"];
  readonly #now: () => number;

  constructor({ view, keySets, now = Date.now }: AuthenticatorParts) {
    this.#view = view;
    this.#keySets = keySets;
    this.#now = now;
  }

  /** `uid`: of the workload that is called. Never rejects. */
  async authenticate(uid: string, carrier: TokenCarrier): Promise<Authentication> {
    const refs = this.#view.enrolment(uid)?.requestAuthentications ?? [];
    if (refs.length === 0) return UNCHANGED;
    const found = refs.map((ref) => this.#view.requestAuthentication(ref));
    const known = found.filter((each) => each !== undefined);
    if (known.length < found.length) return refused("authentication_missing");
    if (known.some(({ invalid }) => invalid)) return refused("authentication_unreadable");
    return this.#byRules(
      known.flatMap(({ rules }) => rules),
      carrier,
    );
  }

  async #byRules(rules: readonly JwtRule[], carrier: TokenCarrier): Promise<Authentication> {
    const found = findTokens(rules, carrier);
    const [first] = found;
    if (!first) return { kind: "passed", changes: requestChanges(rules, carrier, undefined) };
    if (found.some(({ token }) => token !== first.token)) return refused("several_tokens");
    const read = readToken(first.token);
    if (read.kind === "refused") return refused(read.reason);
    const { token } = read;
    // Every place where it stands must be one that takes tokens of its issuer.
    const taking = rulesTaking(found, token.issuer);
    if (taking.length === 0) return refused("issuer_unknown");
    const verified = await this.#verify(first.token, token, taking);
    if (verified.kind === "refused") return verified;
    const { claims, payload } = token;
    const accepted = { found, rule: verified.rule, claims, payload };
    return { kind: "passed", claims, changes: requestChanges(rules, carrier, accepted) };
  }

  /** By the first of the rules that accepts it; of several refusals the last is told. */
  async #verify(
    text: string,
    token: UnverifiedToken,
    rules: readonly JwtRule[],
  ): Promise<Verified | Refused> {
    let last = refused("issuer_unknown");
    for (const rule of rules) {
      const verdict = await this.#verifyBy(text, token, rule);
      if (verdict.kind === "valid") return { kind: "verified", rule };
      last = verdict;
    }
    return last;
  }

  async #verifyBy(text: string, token: UnverifiedToken, rule: JwtRule): Promise<TokenVerdict> {
    const keys = await this.#keysFor(token, rule);
    if (!keys) return refused("keys_unavailable");
    return verifyToken({ text, token, rule, keys, nowMs: this.#now() });
  }

  async #keysFor(token: UnverifiedToken, rule: JwtRule): Promise<KeySet | undefined> {
    const keys = await this.#keySets.keys(rule);
    return !keys || knowsKey(token, keys) ? keys : this.#keySets.newerKeys(rule);
  }
}

interface Verified {
  readonly kind: "verified";
  readonly rule: JwtRule;
}

type Refused = Extract<Authentication, { readonly kind: "refused" }>;

function refused(reason: JwtRefusal): Refused {
  return { kind: "refused", reason };
}

function rulesTaking(found: readonly FoundToken[], issuer: string): readonly JwtRule[] {
  const [first, ...others] = found.map(({ rules }) =>
    rules.filter((rule) => rule.issuer === issuer),
  );
  return (first ?? []).filter((rule) => others.every((rules) => rules.includes(rule)));
}
