import { expect, test } from "@jest/globals";
import { checkName } from "./check-name.ts";
import { readDer, TAG } from "./der-reader.ts";
import { distinguishedName, EMPTY_NAME } from "./sign-certificate.ts";

function check(hex: string): void {
  checkName(readDer(Buffer.from(hex, "hex"), TAG.sequence));
}

const GOOD: readonly (readonly [string, string])[] = [
  ["the empty one", Buffer.from(EMPTY_NAME).toString("hex")],
  ["ours", Buffer.from(distinguishedName("Weft", "Zürich")).toString("hex")],
  ["PrintableString", nameWith("130141")],
  ["IA5String", nameWith("160141")],
  ["T61String", nameWith("140141")],
  ["BMPString", nameWith("1e020041")],
];

test.each(GOOD)("checkName(): %s passes", (_, hex) => {
  expect(() => check(hex)).not.toThrow();
});

const BAD: readonly (readonly [string, string, string])[] = [
  ["no set of attributes", "30053003060155", "where 0x31 belongs"],
  ["an attribute without a value", wrap("30", wrap("31", wrap("30", "0603550403"))), "a type and"],
  ["an attribute with two values", nameWith("130141130142"), "a type and a text"],
  ["a value that is no text", nameWith("020101"), "a type and a text"],
  ["a text that is no UTF-8", nameWith("0c01ff"), "a type and a text"],
  ["half a character of two octets", nameWith("1e0141"), "a type and a text"],
  [
    "a type that is none",
    wrap("30", wrap("31", wrap("30", "06025580130141"))),
    "object identifier",
  ],
];

test.each(BAD)("checkName(): a name with %s is refused", (_, hex, message) => {
  expect(() => check(hex)).toThrow(message);
});

/** One attribute CN with this value, which may be several, all of at most a few octets. */
function nameWith(value: string): string {
  return wrap("30", wrap("31", wrap("30", `0603550403${value}`)));
}

function wrap(tag: string, content: string): string {
  return `${tag}${(content.length / 2).toString(16).padStart(2, "0")}${content}`;
}
