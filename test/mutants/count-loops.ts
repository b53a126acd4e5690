/**
 * A source with a call at the head of each loop's body, so that a change that never ends is told by how
 * often its loops ran, not by a clock: the same on a busy machine as on an idle one.
 */
import { parseSync } from "@swc/core";

/** What the loops call. */
export const STEP = "__weftStep";

const LOOPS = new Set([
  "ForStatement",
  "ForOfStatement",
  "ForInStatement",
  "WhileStatement",
  "DoWhileStatement",
]);

/** Spans of the parser are counted in octets, from this. */
const FIRST = 1;

interface Insertion {
  readonly at: number;
  readonly text: string;
}

/** Lines stay where they are. */
export function countLoops(source: string): string {
  const program = parseSync(source, { syntax: "typescript", target: "es2022" });
  const insertions: Insertion[] = [];
  walk(program, insertions);
  let bytes = Buffer.from(source);
  for (const { at, text } of insertions.toSorted((a, b) => b.at - a.at)) {
    bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(text), bytes.subarray(at)]);
  }
  return bytes.toString();
}

function walk(value: unknown, insertions: Insertion[]): void {
  if (typeof value !== "object" || value === null) return;
  const { type, body } = value as { readonly type?: unknown; readonly body?: unknown };
  if (typeof type === "string" && LOOPS.has(type)) insertions.push(...insertionsFor(body));
  for (const child of Object.values(value)) walk(child, insertions);
}

function insertionsFor(body: unknown): readonly Insertion[] {
  const { type, span } = body as {
    readonly type: string;
    readonly span: { readonly start: number; readonly end: number };
  };
  const [start, end] = [span.start - FIRST, span.end - FIRST];
  if (type === "BlockStatement") return [{ at: start + 1, text: ` ${STEP}();` }];
  return [
    { at: start, text: `{ ${STEP}(); ` },
    { at: end, text: " }" },
  ];
}
