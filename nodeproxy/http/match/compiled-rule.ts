/** One rule of a table made ready: what it asks beside the path, and what it does with a request. Pure. */
import type { BackendRef, NamedMatch, RouteRule } from "../../../core/model/http-route.ts";
import { compileFilters, type Filters } from "../filter/compile-filters.ts";
import type { Redirect } from "../filter/redirect.ts";
import type { RequestHead } from "../message.ts";
import type { AskedValues } from "./asked-values.ts";
import type { TextTest } from "./path-index.ts";
import type { RoutePlan } from "./route-plan.ts";

interface Condition {
  readonly slot: number;
  readonly exact: string;
  /** `undefined`: the value is to be `exact`. */
  readonly test: TextTest | undefined;
}

interface Backend {
  readonly to: BackendRef | undefined;
  readonly weight: number;
  /** The rule's and its own behind them. */
  readonly filters: Filters;
}

/** Which of the rule's backends the request's session has begun with; `undefined`: none of them, or it has no session. */
export type BoundBackend = (head: RequestHead, rule: RouteRule) => BackendRef | undefined;

export interface RuleContext {
  /** Of the Service. */
  readonly port: number;
  readonly asked: AskedValues;
  readonly compileRegex: (source: string) => TextTest;
}

export class CompiledRule {
  readonly rule: RouteRule;
  readonly filters: Filters;
  readonly #asked: AskedValues;
  readonly #conditions: readonly Condition[];
  /** Those that get any share. */
  readonly #backends: readonly Backend[];
  readonly #weight: number;

  constructor(rule: RouteRule, context: RuleContext) {
    const { path, headers, query } = rule.match;
    const place = { prefix: path.kind === "prefix" ? path.value : undefined, port: context.port };
    this.rule = rule;
    this.filters = compileFilters(rule.filters, place);
    this.#asked = context.asked;
    this.#conditions = [
      ...conditionsOf(headers, false, context),
      ...conditionsOf(query, true, context),
    ];
    // "If weight is set to 0, no traffic should be forwarded for this entry."
    const weighing = rule.backends.filter(({ weight }) => weight > 0);
    this.#backends = weighing.map(({ to, weight, filters }) => {
      const all = filters.length === 0 ? this.filters : undefined;
      return { to, weight, filters: all ?? compileFilters([...rule.filters, ...filters], place) };
    });
    this.#weight = this.#backends.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** All but the path. */
  accepts(method: string): boolean {
    const wanted = this.rule.match.method;
    if (wanted !== "" && wanted !== method) return false;
    for (const { slot, exact, test } of this.#conditions) {
      const value = this.#asked.at(slot);
      if (value === undefined || !(test ? test(value) : value === exact)) return false;
    }
    return true;
  }

  plan(head: RequestHead, draw: () => number, bound?: BoundBackend): RoutePlan {
    const { rule } = this;
    const backend = this.#bound(head, bound) ?? this.#draw(draw);
    const filters = backend?.filters ?? this.filters;
    const preflight = filters.cors?.preflight(head);
    if (preflight) return { kind: "answer", rule, status: 204, reason: "", fields: preflight };
    if (filters.redirect) return this.#redirected(head, filters, filters.redirect);
    if (!backend?.to) {
      return { kind: "answer", rule, status: 500, reason: "backend_invalid", fields: [] };
    }
    return {
      kind: "forward",
      rule,
      to: backend.to,
      head: filters.changeRequest ? filters.changeRequest(head) : head,
      mirrors: filters.mirrors.length === 0 ? [] : mirrored(filters, draw),
      changeResponse: responseChange(head, filters),
    };
  }

  #redirected(head: RequestHead, filters: Filters, redirect: Redirect): RoutePlan {
    const { status } = redirect;
    const answer = { status, fields: ["location", redirect.location(head)] };
    const { fields } = responseChange(head, filters)?.(answer) ?? answer;
    return { kind: "answer", rule: this.rule, status, reason: "", fields };
  }

  /** Whatever the weights. */
  #bound(head: RequestHead, bound: BoundBackend | undefined): Backend | undefined {
    if (!bound || !this.rule.session || this.#backends.length <= 1) return undefined;
    const to = bound(head, this.rule);
    return to && this.#backends.find((backend) => backend.to === to);
  }

  #draw(draw: () => number): Backend | undefined {
    if (this.#backends.length <= 1) return this.#backends[0];
    let left = draw() * this.#weight;
    for (const backend of this.#backends) {
      if (left < backend.weight) return backend;
      left -= backend.weight;
    }
    return this.#backends.at(-1);
  }
}

/** "only the first entry with an equivalent name MUST be considered for a match" */
function conditionsOf(
  matches: readonly NamedMatch[],
  isQuery: boolean,
  { asked, compileRegex }: RuleContext,
): readonly Condition[] {
  const first = new Map<string, NamedMatch["value"]>();
  for (const { name, value } of matches) if (!first.has(name)) first.set(name, value);
  return [...first].map(([name, { kind, value }]) => ({
    slot: asked.slotOf(isQuery, name),
    exact: value,
    test: kind === "regex" ? compileRegex(value) : undefined,
  }));
}

function mirrored({ mirrors }: Filters, draw: () => number): readonly BackendRef[] {
  return mirrors.flatMap(({ to, numerator, denominator }) => {
    return to && draw() * denominator < numerator ? [to] : [];
  });
}

function responseChange(
  head: RequestHead,
  { cors, changeResponse }: Filters,
): Filters["changeResponse"] {
  const tell = cors?.responseTo(head);
  if (!tell || !changeResponse) return tell ?? changeResponse;
  return (response) => tell(changeResponse(response));
}
