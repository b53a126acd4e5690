import { expect, test } from "@jest/globals";
import { cookieValue } from "./cookie-value.ts";

const CASES: readonly (readonly [line: string, value: string | undefined])[] = [
  ["a=1", "1"],
  ["b=2; a=1; c=3", "1"],
  ["a=1; a=2", "1"],
  ['a="in quotes"', "in quotes"],
  ["a=", ""],
  ["a=x=y", "x=y"],
  [" a = 1 ;b=2", "1"],
  ["aa=1; ba=2", undefined],
  ["b=a", undefined],
  ["a", undefined],
  ["A=1", undefined],
  ['a="', '"'],
  ["", undefined],
];

for (const [line, value] of CASES) {
  test(`cookieValue(): of a in ${JSON.stringify(line)} it is ${value ?? "not there"}`, () => {
    expect(cookieValue(["x", "a=no", "cookie", line], "a")).toBe(value);
  });
}

test("cookieValue(): lines of HTTP/2 are one cookie", () => {
  expect(cookieValue(["cookie", "b=1", "cookie", "a=2"], "a")).toBe("2");
});
