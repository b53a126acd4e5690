/** Has a policy changed since? A mark of its content, equal in both processes of a node proxy; made once for each object. */
import { createHash } from "node:crypto";
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";

const marks = new WeakMap<CompiledPolicy, string>();

/** 16 hex digits. Policies are replaced whole, never edited, so an object keeps its mark. */
export function policyMark(policy: CompiledPolicy): string {
  const known = marks.get(policy);
  if (known !== undefined) return known;
  const mark = createHash("sha256").update(JSON.stringify(policy)).digest("hex").slice(0, 16);
  marks.set(policy, mark);
  return mark;
}
