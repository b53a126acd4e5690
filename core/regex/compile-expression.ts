/**
 * A regular expression of RE2's syntax as the test of a whole text.
 *
 * It takes time in proportion to the text and never goes back, and its program is bounded: whoever may write a route
 * must not be able to stop a node with it.
 */
import { RE2JS } from "re2js";

/** Instructions; each is at most one step for a character. Expressions of people have tens. */
const MAX_PROGRAM = 512;

/** Throws where it is none, or too large. */
export function compileExpression(source: string): (text: string) => boolean {
  const expression = RE2JS.compile(source);
  const size = expression.programSize();
  if (size > MAX_PROGRAM) throw new RangeError(`expression of ${size} instructions is too large`);
  return (text) => expression.testExact(text);
}
