/** Small changes to a source file, one at a time, each of which a test should notice. Loops are left alone: a changed one may never end. */
import { parseSync } from "@swc/core";

export interface Mutant {
  /** From 1. */
  readonly line: number;
  readonly was: string;
  readonly is: string;
  readonly source: string;
}

type Node = Readonly<Record<string, unknown>> & { readonly type?: string };

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** By operator; those that are not named stay. */
const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  "===": ["!=="],
  "!==": ["==="],
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "&&": ["||"],
  "||": ["&&"],
  "+": ["-"],
  "-": ["+"],
  "&": ["|"],
  "|": ["&"],
};
/** By name of the method. */
const METHODS: Readonly<Record<string, string>> = {
  some: "every",
  every: "some",
  startsWith: "endsWith",
  endsWith: "startsWith",
};

/** Members of nodes that hold types alone. */
const TYPES = new Set(["typeAnnotation", "returnType", "typeParams", "typeArguments"]);

/** Spans are counted in octets, from this. */
const FIRST = 1;

export function mutantsOf(source: string): readonly Mutant[] {
  const bytes = Buffer.from(source);
  const program = parseSync(source, { syntax: "typescript", target: "es2022" });
  const edits: Edit[] = [];
  walk(program, (node) => edits.push(...editsOf(node, bytes)));
  return edits.map(({ start, end, text }) => ({
    line: bytes.subarray(0, start).toString().split("\n").length,
    was: bytes.subarray(start, end).toString(),
    is: text,
    source: bytes.subarray(0, start).toString() + text + bytes.subarray(end).toString(),
  }));
}

/** All nodes but the heads of loops and types. */
function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const node = value as Node;
  visit(node);
  for (const [name, child] of Object.entries(node)) {
    const isHead = node.type === "ForStatement" && name !== "body";
    if (!isHead && !TYPES.has(name)) walk(child, visit);
  }
}

function editsOf(node: Node, bytes: Buffer): readonly Edit[] {
  switch (node.type ?? "") {
    case "BinaryExpression":
      return operatorEdits(node, bytes);
    case "UnaryExpression":
      return node["operator"] === "!"
        ? [{ ...placeOf(node), text: textOf(node["argument"], bytes) }]
        : [];
    case "IfStatement":
    case "ConditionalExpression":
      return ["true", "false"].map((text) => ({ ...placeOf(node["test"]), text }));
    case "BooleanLiteral":
      return [{ ...placeOf(node), text: `${node["value"] !== true}` }];
    case "NumericLiteral":
      return [{ ...placeOf(node), text: `${Number(node["value"]) + 1}` }];
    case "MemberExpression":
      return methodEdits(node["property"], bytes);
    default:
      return [];
  }
}

function operatorEdits(node: Node, bytes: Buffer): readonly Edit[] {
  const others = OPERATORS[String(node["operator"])] ?? [];
  const { start: from } = placeOf(node["right"]);
  const { end: to } = placeOf(node["left"]);
  const operator = String(node["operator"]);
  const start = bytes.indexOf(operator, to);
  if (start < 0 || start >= from) return [];
  return others.map((text) => ({ start, end: start + operator.length, text }));
}

function methodEdits(property: unknown, bytes: Buffer): readonly Edit[] {
  const other = METHODS[textOf(property, bytes)];
  return other === undefined ? [] : [{ ...placeOf(property), text: other }];
}

function textOf(node: unknown, bytes: Buffer): string {
  const { start, end } = placeOf(node);
  return bytes.subarray(start, end).toString();
}

function placeOf(node: unknown): { readonly start: number; readonly end: number } {
  const { span } = node as { readonly span: { readonly start: number; readonly end: number } };
  return { start: span.start - FIRST, end: span.end - FIRST };
}
