/** What random sets do not ask: nothing known, a policy that is missing, and sets in several layers. */
import type {
  CompiledPolicy,
  PolicyAction,
  StringMatch,
} from "../../core/model/authorization-policy.ts";
import { decide } from "../../nodeproxy/authz/decide.ts";
import { createDecider, type Decider } from "../../nodeproxy/authz/decider.ts";
import { knownCosts, type TakeSteps } from "./known-costs.ts";
import { type KnownAnswer, knownFacts } from "./known-facts.ts";
import { knownTrees } from "./known-trees.ts";

const SETTINGS = { trustDomain: "cluster.local", trustDomainAliases: [] };
const ATTEMPT = { sourceIp: [10, 0, 0, 1], destinationIp: [10, 0, 0, 2], destinationPort: 80 };

function policy(ref: string, action: PolicyAction, port = 80): CompiledPolicy {
  const rules = [{ index: 0, from: [], to: [{ ports: [port], notPorts: [] }], when: [] }];
  return { ref, action, dryRun: false, invalid: false, rules };
}

/** So many that what comes later is a layer of its own. */
const MANY: readonly CompiledPolicy[] = Array.from({ length: 40 }, (_, i) =>
  policy(`many/p${i}`, i % 2 === 0 ? "ALLOW" : "DENY", 1_000 + i),
);

function deciderOf(policies: readonly CompiledPolicy[], previous?: Decider): Decider {
  const byRef = new Map(policies.map((each) => [each.ref, each]));
  const input = { refs: [...byRef.keys()], policyOf: (ref: string) => byRef.get(ref) };
  return createDecider({ ...input, settings: SETTINGS }, previous);
}

function said(decider: Decider | undefined): string {
  const { verdict } = decide(decider, ATTEMPT);
  if (verdict.kind === "permit") return `permit ${verdict.by?.policy}`;
  return `${verdict.reason} ${verdict.policy}`;
}

/** Of a large layer with the first and a small one with the second. */
function layered(first: CompiledPolicy, second: CompiledPolicy): string {
  return said(deciderOf([...MANY, first, second], deciderOf([...MANY, first])));
}

const ADMIN = { kind: "exact", value: "admin" } as const;
const PRESENT = { kind: "present" } as const;
const COMMA = { kind: "exact", value: "," } as const;
const JOINED = { kind: "exact", value: "admin,user" } as const;

/** Of a policy that asks for `admin` in a header (or for anything but), where the request has these lines. */
function header(action: PolicyAction, lines: readonly string[], lists: Partial<Lists>): string {
  const { values = [], notValues = [] } = lists;
  const when = [{ key: "request.headers" as const, name: "x-role", values, notValues }];
  const rules = [{ index: 0, from: [], to: [], when }];
  const decider = deciderOf([{ ...policy("ns/h", action), rules }]);
  const headers = new Map([["x-role", lines]]);
  const http = { method: "GET", path: "/", host: "api", headers };
  return decide(decider, { ...ATTEMPT, http }).verdict.kind;
}

interface Lists {
  readonly values: readonly StringMatch[];
  readonly notValues: readonly StringMatch[];
}

/** RFC 9110 5.3: an ALLOW must hold for every line, a DENY for any reading of them. */
function answersOfHeaders(): readonly KnownAnswer[] {
  const is = { values: [ADMIN] };
  const isNot = { notValues: [ADMIN] };
  return [
    [header("ALLOW", ["admin"], is), "permit"],
    [header("ALLOW", ["user"], is), "deny"],
    [header("ALLOW", [], is), "deny"],
    [header("ALLOW", [], isNot), "permit"],
    [header("ALLOW", ["admin", "user"], is), "deny"],
    [header("ALLOW", ["admin", "admin"], is), "permit"],
    [header("ALLOW", ["user, admin"], is), "deny"],
    [header("ALLOW", ["admin"], isNot), "deny"],
    [header("ALLOW", ["user", "guest"], isNot), "permit"],
    [header("ALLOW", [""], { values: [PRESENT] }), "deny"],
    [header("ALLOW", [""], { notValues: [PRESENT] }), "deny"],
    [header("DENY", ["admin"], is), "deny"],
    [header("DENY", ["user"], is), "permit"],
    [header("DENY", ["user", "admin"], is), "deny"],
    [header("DENY", ["user, admin"], is), "deny"],
    [header("DENY", ["admin", "user"], { values: [JOINED] }), "deny"],
    [header("DENY", ["admin"], { values: [JOINED] }), "permit"],
    [header("DENY", [""], { values: [PRESENT] }), "deny"],
    [header("DENY", [""], { notValues: [PRESENT] }), "deny"],
    [header("DENY", ["admin"], isNot), "permit"],
    [header("DENY", ["user"], isNot), "deny"],
    [header("DENY", [","], { values: [PRESENT], notValues: [COMMA] }), "deny"],
    [header("DENY", [","], { notValues: [PRESENT] }), "deny"],
    [header("DENY", [""], { values: [PRESENT, ADMIN] }), "deny"],
  ];
}

/** Those that are wrong: the place in the list, what was said, and what is right. */
export function wrongAnswers(takeSteps: TakeSteps): readonly string[] {
  return wrongOf(answersOfHeaders, answersOfLayers, knownFacts, () => knownCosts(takeSteps));
}

/** Of long lists: asked last, since there are many. */
export function wrongTrees(): readonly string[] {
  return wrongOf(knownTrees);
}

function wrongOf(...lists: readonly (() => readonly KnownAnswer[])[]): readonly string[] {
  return lists.flatMap((list) =>
    list().flatMap(([answer, right], i) =>
      answer === right ? [] : [`${list.name} ${i}: ${answer}, not ${right}`],
    ),
  );
}

function answersOfLayers(): readonly KnownAnswer[] {
  const [a, b] = [policy("ns/a", "ALLOW"), policy("ns/b", "ALLOW")];
  const [deny, later] = [policy("ns/deny", "DENY"), policy("ns/later", "DENY")];
  const custom = policy("ns/zzz", "CUSTOM");
  const missing = { refs: ["ns/a", "ns/none"], settings: SETTINGS };
  return [
    [said(undefined), "policy_unknown undefined"],
    [
      said(createDecider({ ...missing, policyOf: (ref) => (ref === "ns/a" ? a : undefined) })),
      "policy_missing ns/none",
    ],
    [said(deciderOf([])), "permit undefined"],
    [said(deciderOf(MANY)), "not_allowed undefined"],
    [layered(a, b), "permit ns/a"],
    [layered(b, a), "permit ns/a"],
    [layered(deny, a), "denied_by_policy ns/deny"],
    [layered(a, deny), "denied_by_policy ns/deny"],
    [layered(later, deny), "denied_by_policy ns/deny"],
    [layered(deny, later), "denied_by_policy ns/deny"],
    [layered(custom, deny), "denied_by_provider ns/zzz"],
    [layered(deny, custom), "denied_by_provider ns/zzz"],
    [layered(custom, a), "denied_by_provider ns/zzz"],
    [layered(a, custom), "denied_by_provider ns/zzz"],
  ];
}
