/**
 * Which rules of a table may a path belong to, in order? Found by the path itself and by its beginnings, so that a
 * table of a thousand rules costs little more than one of ten.
 */
import type { PathMatch } from "../../../core/model/http-route.ts";

/** Says of a rule whose path matches whether all else does. */
export interface RuleJudge {
  accepts(rule: number): boolean;
}

/** Whether the whole text matches. */
export type TextTest = (text: string) => boolean;

interface PathExpression {
  readonly rule: number;
  readonly test: TextTest;
}

export class PathIndex {
  /** Numbers of rules in order, by what they match. */
  readonly #exact = new Map<string, number[]>();
  readonly #prefixes = new Map<string, number[]>();
  readonly #expressions: PathExpression[] = [];
  /** Elements of the longest prefix. */
  readonly #depth: number = 0;

  constructor(paths: readonly PathMatch[], compileRegex: (source: string) => TextTest) {
    for (const [rule, { kind, value }] of paths.entries()) {
      if (kind === "exact") enter(this.#exact, value, rule);
      else if (kind === "prefix") {
        enter(this.#prefixes, value, rule);
        this.#depth = Math.max(this.#depth, value.split("/").length - 1);
      } else this.#expressions.push({ rule, test: compileRegex(value) });
    }
  }

  /** The first rule that matches; -1 for none. */
  find(path: string, judge: RuleJudge): number {
    let best = firstBefore(Infinity, this.#exact.get(path), judge);
    for (let end = this.#longest(path); ; end = path.lastIndexOf("/", end - 1)) {
      best = firstBefore(best, this.#prefixes.get(path.slice(0, Math.max(end, 0))), judge);
      if (end <= 0) break;
    }
    for (const { rule, test } of this.#expressions) {
      if (rule >= best) break;
      if (judge.accepts(rule) && test(path)) best = rule;
    }
    return best === Infinity ? -1 : best;
  }

  /** Where the longest beginning ends that could be a prefix: paths may have thousands of elements. */
  #longest(path: string): number {
    let end = 0;
    for (let elements = 0; elements < this.#depth; elements += 1) {
      end = path.indexOf("/", end + 1);
      if (end < 0) return path.length;
    }
    return end;
  }
}

function enter(rules: Map<string, number[]>, value: string, rule: number): void {
  const same = rules.get(value);
  if (same) same.push(rule);
  else rules.set(value, [rule]);
}

function firstBefore(best: number, rules: readonly number[] | undefined, judge: RuleJudge): number {
  for (const rule of rules ?? []) {
    if (rule >= best) break;
    if (judge.accepts(rule)) return rule;
  }
  return best;
}
