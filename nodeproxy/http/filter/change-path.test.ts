import { expect, test } from "@jest/globals";
import { compilePathChange } from "./change-path.ts";

/** Of Gateway API's HTTPPathModifier: request path, prefix match, replace prefix, modified path. */
const SPECIFIED = [
  ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
  ["/foo", "/foo", "/xyz", "/xyz"],
  ["/foo/", "/foo", "/xyz", "/xyz/"],
  ["/foo/bar", "/foo", "", "/bar"],
  ["/foo/", "/foo", "", "/"],
  ["/foo", "/foo", "", "/"],
  ["/foo/", "/foo", "/", "/"],
  ["/foo", "/foo", "/", "/"],
] as const;

const FURTHER = [
  ["/foo", "/foo", "/xyz/", "/xyz"],
  ["/bar", "/", "/xyz", "/xyz/bar"],
  ["/", "/", "/xyz", "/xyz/"],
  ["/bar", "/", "/", "/bar"],
  ["/bar", "/", "", "/bar"],
  ["/a/b/c", "/a/b", "/x/y/z", "/x/y/z/c"],
  ["/foo//bar", "/foo", "/xyz", "/xyz//bar"],
  ["/foo/bar", "/foo", "xyz", "/xyz/bar"],
  // What it did not match stays.
  ["/foobar", "/foo", "/xyz", "/foobar"],
  ["/other", "/foo", "/xyz", "/other"],
  ["*", "/", "/xyz", "*"],
] as const;

test.each([...SPECIFIED, ...FURTHER])(
  "compilePathChange(): of %s the prefix %s replaced by '%s' is %s",
  (...[path, prefix, value, expected]) => {
    // As the operator compiles it.
    const compiled = prefix.replace(/\/$/, "");
    expect(compilePathChange({ kind: "prefix", value }, compiled)(path)).toBe(expected);
  },
);

test.each([
  ["/one", "/one"],
  ["", "/"],
  ["one", "/one"],
  ["/one/", "/one/"],
  ["/a b?c#d\r\n", "/a%20b%3Fc%23d%0D%0A"],
  ["/\u00e4%C3%A4", "/%C3%A4%C3%A4"],
  ["/\ud800", "/%EF%BF%BD"],
])("compilePathChange(): the full path %j becomes %s", (value, expected) => {
  expect(compilePathChange({ kind: "full", value }, undefined)("/foo/bar")).toBe(expected);
});

test("compilePathChange(): a rule that matches no prefix has none to replace", () => {
  expect(compilePathChange({ kind: "prefix", value: "/xyz" }, undefined)("/foo")).toBe("/foo");
});
