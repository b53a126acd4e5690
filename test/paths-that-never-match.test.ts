/** The operator warns of exactly those paths that the node proxy gives no request: two programs, one form. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { normalisePath } from "../nodeproxy/http/match/normalise-path.ts";
import { isNeverMatched } from "../operator/resources/path-warnings.ts";

const PARTS =
  "/ a b.c . .. // ; # ? \\ é \u0001 % < { %20 %2F %2f %41 %3B %3C %3c %25 25 %C3%A9 %7E %7F ~";
const PART = fc.constantFrom(" ", ...PARTS.split(" "));

function isNormal(path: string): boolean {
  const read = normalisePath(path);
  return read.kind === "path" && read.path === path;
}

test("isNeverMatched(): of exact paths those that are not in the form of requests", () => {
  fc.assert(
    fc.property(fc.array(PART, { minLength: 1, maxLength: 6 }), (parts) => {
      const value = `/${parts.join("")}`;
      expect(isNeverMatched({ kind: "exact", value })).toBe(!isNormal(value));
    }),
    { numRuns: 5_000 },
  );
});

test("isNeverMatched(): a prefix or a suffix of a path in that form may match", () => {
  fc.assert(
    fc.property(fc.array(PART, { maxLength: 6 }), fc.nat(30), (parts, at) => {
      const path = `/${parts.join("")}`;
      fc.pre(isNormal(path));
      const cut = Math.min(Math.max(1, at), path.length);
      expect(isNeverMatched({ kind: "prefix", value: path.slice(0, cut) })).toBe(false);
      expect(isNeverMatched({ kind: "suffix", value: path.slice(cut) })).toBe(false);
    }),
    { numRuns: 5_000 },
  );
});
