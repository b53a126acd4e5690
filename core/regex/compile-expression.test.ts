import { expect, test } from "@jest/globals";
import { compileExpression } from "./compile-expression.ts";

test("compileExpression(): the whole text must match, with the case as it is", () => {
  const isMatch = compileExpression("/v[0-9]+/(shop|cart)");
  expect(["/v1/shop", "/v22/cart"].map(isMatch)).toStrictEqual([true, true]);
  expect(["/v1/shops", "x/v1/shop", "/V1/shop", "/v1/shop\n", ""].map(isMatch)).toStrictEqual(
    Array.from({ length: 5 }, () => false),
  );
  expect(compileExpression("(?i)abc")("ABC")).toBe(true);
  expect(compileExpression("a|b.*")("bcd")).toBe(true);
});

test.each(["(a", "a)", "[b", "(?=a)", "(?<!a)b", "\\1", "a{2,1}", "*a"])(
  "compileExpression(): %s is none of RE2's",
  (source) => {
    expect(() => compileExpression(source)).toThrow(/error parsing/);
  },
);

test("compileExpression(): an expression with a large program is refused", () => {
  expect(() => compileExpression("(a|aa){500}")).toThrow(/too large/);
  expect(() => compileExpression("((a{100}){100}){100}")).toThrow(/repeat count/);
});
