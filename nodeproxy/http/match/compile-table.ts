/**
 * Routes one request by the table of its Service's port: the first rule that matches says where it goes, what is
 * changed of it, or what answers in its stead. Pure; chance is handed in.
 *
 * A table is compiled when it arrives; a request then costs a look-up for each element of its path.
 */
import type { RouteTable } from "../../../core/model/http-route.ts";
import { preflightMethod } from "../filter/cors.ts";
import type { RequestHead } from "../message.ts";
import { AskedValues } from "./asked-values.ts";
import { type BoundBackend, CompiledRule } from "./compiled-rule.ts";
import { PathIndex, type RuleJudge, type TextTest } from "./path-index.ts";
import type { RoutePlan } from "./route-plan.ts";

export interface CompiledTable {
  /** `draw`: in [0, 1), for weights and mirrors. */
  plan(head: RequestHead, draw: () => number, bound?: BoundBackend): RoutePlan;
}

/**
 * `compileRegex`: of RE2's syntax, to be matched by the whole text; it throws where it is none, and then whatever
 * asks for it matches nothing: the operator has refused the route that holds it.
 */
export function compileTable(
  table: RouteTable,
  compileRegex: (source: string) => TextTest,
): CompiledTable {
  return new Table(table, (source) => {
    try {
      return compileRegex(source);
    } catch {
      return () => false;
    }
  });
}

const NOT_FOUND: RoutePlan = {
  kind: "answer",
  rule: undefined,
  status: 404,
  reason: "route_not_found",
  fields: [],
};

class Table implements CompiledTable, RuleJudge {
  readonly #rules: readonly CompiledRule[];
  readonly #index: PathIndex;
  readonly #asked = new AskedValues();
  readonly #answersPreflights: boolean;
  /** Of the request at hand. */
  #method = "";

  constructor({ rules, port }: RouteTable, compileRegex: (source: string) => TextTest) {
    const context = { port, asked: this.#asked, compileRegex };
    this.#rules = rules.map((rule) => new CompiledRule(rule, context));
    this.#index = new PathIndex(
      rules.map(({ match }) => match.path),
      compileRegex,
    );
    this.#answersPreflights = this.#rules.some(isOfOneMethod);
  }

  plan(head: RequestHead, draw: () => number, bound?: BoundBackend): RoutePlan {
    this.#asked.read(head);
    const rule = this.#preflighted(head) ?? this.#find(head.path, methodOf(head));
    return rule ? rule.plan(head, draw, bound) : NOT_FOUND;
  }

  /** For the index. */
  accepts(rule: number): boolean {
    return this.#rules[rule]?.accepts(this.#method) ?? false;
  }

  /** A rule for one method alone answers the preflights that ask for it, though they are OPTIONS themselves. */
  #preflighted(head: RequestHead): CompiledRule | undefined {
    const method = this.#answersPreflights ? preflightMethod(head) : "";
    const rule = method === "" ? undefined : this.#find(head.path, method);
    return rule && isOfOneMethod(rule) ? rule : undefined;
  }

  #find(path: string, method: string): CompiledRule | undefined {
    this.#method = method;
    return this.#rules[this.#index.find(path, this)];
  }
}

function isOfOneMethod({ rule, filters }: CompiledRule): boolean {
  return filters.cors !== undefined && rule.match.method !== "";
}

/** RFC 8441 4: CONNECT with ":protocol" is how HTTP/2 asks for what HTTP/1.1 asks by GET. */
function methodOf({ method, upgrade }: RequestHead): string {
  return method === "CONNECT" && upgrade !== "" ? "GET" : method;
}
