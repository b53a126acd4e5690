/**
 * Changes to the evaluator that change no answer, each with the reason, so that any other survivor stands
 * out. By the text of the line, which other edits of the file leave alone. One that is not found any more is
 * told, and one that is killed after all fails the run.
 */
interface Equivalent {
  readonly file: string;
  /** The whole line, trimmed. */
  readonly line: string;
  /** What was, and what it became. */
  readonly changes: readonly string[];
  readonly why: string;
}

export interface Change {
  readonly file: string;
  readonly line: string;
  readonly change: string;
}

const KEPT = "what is kept is made again, the same: costs time alone";
const GUARD = "a guard for the compiler: it never holds";
const RELATIVE = "places are compared with each other alone";
const EQUIVALENTS: readonly Equivalent[] = [
  {
    file: "decide",
    line: "let rank = 3;",
    changes: ["3 → 4"],
    why: "any number above the three ranks",
  },
  { file: "decide", line: "if (!layer) continue;", changes: ["!layer → false"], why: GUARD },
  {
    file: "decide",
    line: "return other !== undefined && policy.ref < other.policy.ref;",
    changes: ["< → <="],
    why: "no policy is in force in two layers, so no two names are equal",
  },
  {
    file: "decide",
    line: "if (matches.length === 0) return NOTHING;",
    changes: ["matches.length === 0 → false"],
    why: "an empty list is made of an empty list: costs an allocation alone",
  },
  { file: "clause", line: "let order = 0;", changes: ["0 → 1"], why: RELATIVE },
  { file: "clause", line: "order += 1;", changes: ["1 → 2"], why: RELATIVE },
  {
    file: "match",
    line: "if (!http) return false;",
    changes: ["!http → false", "false → true"],
    why: GUARD,
  },
  {
    file: "match",
    line: "if (list.length === 0 || !claims) return false;",
    changes: ["list.length === 0 || !claims → false", "|| → &&"],
    why: "an empty list matches nobody, and nobody has no issuer: saves time alone",
  },
  { file: "match-text", line: "if (known) return known;", changes: ["known → false"], why: KEPT },
  {
    file: "match-list",
    line: "if (list.length === 0) return false;",
    changes: ["list.length === 0 → false"],
    why: "no value of an empty list matches: saves time alone",
  },
  {
    file: "match-list",
    line: "for (const text of texts) addText(root, text, true);",
    changes: ["true → false"],
    why: "only whether there is a value is asked",
  },
  {
    file: "match-list",
    line: "for (const block of list) addBlock(made, block, true);",
    changes: ["true → false"],
    why: "only whether there is a value is asked",
  },
  {
    file: "match-header",
    line: 'return isAllow || (lines.length > 1 && holds(condition, lines.join(","), false));',
    changes: ["> → >=", "false → true"],
    why: "one line joined is that line, which was asked; several joined are never empty",
  },
  {
    file: "read-rules",
    line: "if (!isLayer7Condition(condition)) return 0;",
    changes: ["!isLayer7Condition(condition) → false"],
    why: "no case fits, and no bits are as good as 0",
  },
  {
    file: "read-rules",
    line: "if (isSeen(neededBy(rule), seen)) return rule;",
    changes: ["isSeen(neededBy(rule), seen) → false"],
    why: "nothing of it is erased: a copy with the same content",
  },
  {
    file: "read-rules",
    line: "if (!layer7 || isSeen(neededBySource(source), seen)) return source;",
    changes: ["|| → &&"],
    why: "nothing of it is erased: a copy with the same content",
  },
  {
    file: "read-rules",
    line: "notRequestPrincipals: isHttp ? layer7.notRequestPrincipals : [],",
    changes: ["isHttp → true"],
    why: "the negation of what cannot be seen holds, as that of nothing does",
  },
  {
    file: "read-rules",
    line: "notRemoteIpBlocks: isRemote ? layer7.notRemoteIpBlocks : [],",
    changes: ["isRemote → true"],
    why: "the negation of what cannot be seen holds, as that of nothing does",
  },
  {
    file: "subject",
    line: "attempt: { sourceIp: [], destinationIp: [], destinationPort: 0 },",
    changes: ["0 → 1"],
    why: "replaced before anybody looks",
  },
  {
    file: "text-tree",
    line: "const child = at < text.length ? childFor(node, text.charCodeAt(at)) : undefined;",
    changes: ["at < text.length → true", "< → <="],
    why: "past the end there is no character, and no child is found for none",
  },
  {
    file: "text-tree",
    line: "const child = end > 0 ? childFor(node, text.charCodeAt(end - 1)) : undefined;",
    changes: ["end > 0 → true", "> → >="],
    why: "before the start there is no character, and no child is found for none",
  },
  {
    file: "text-tree",
    line: "let length = 0;",
    changes: ["0 → 1"],
    why: "the child was found by its first character",
  },
  {
    file: "text-tree",
    line: "while (length < label.length && label.charCodeAt(length) === text.charCodeAt(at + length)) {",
    changes: ["< → <="],
    why: "past the end there is no character, which equals nothing",
  },
  {
    file: "block-tree",
    line: "const bits = Math.max(0, Math.min(8, prefixLength - i * 8));",
    changes: ["0 → 1", "- → +"],
    why: "bits beyond the prefix are never looked at",
  },
  {
    file: "block-tree",
    line: "return ((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1;",
    changes: ["0 → 1"],
    why: "past the end of an address nothing hangs on either side",
  },
];

const found = new Set<string>();

/** The reason, if it is one of them. */
export function equivalentTo({ file, line, change }: Change): string | undefined {
  const known = EQUIVALENTS.find(
    (each) => each.file === file && each.line === line && each.changes.includes(change),
  );
  if (known) found.add(`${file} ${line} ${change}`);
  return known?.why;
}

/** Those that nobody has asked for. */
export function unusedEquivalents(): readonly Change[] {
  return EQUIVALENTS.flatMap(({ file, line, changes }) =>
    changes.map((change) => ({ file, line, change })),
  ).filter(({ file, line, change }) => !found.has(`${file} ${line} ${change}`));
}
