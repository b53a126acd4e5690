/** Whether a text in a route is a regular expression that nodes can use; for the index, which uses no package. */
import { compileExpression } from "../core/regex/compile-expression.ts";

export function isExpression(source: string): boolean {
  try {
    compileExpression(source);
    return true;
  } catch {
    return false;
  }
}
