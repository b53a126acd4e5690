/** What the DNS of a test cluster answers, as resolvers of Go and of musl and glibc ask it. */
import { expect, test } from "@jest/globals";
import { answerQuery } from "./cluster/dns/answer-query.ts";

const NAME = "echo.shop.svc.cluster.local";
const A = 1;
const AAAA = 28;

/** Recursion desired; `tail` is what stands after the question. */
function query(name: string, type: number, tail = ""): Buffer {
  const labels = name
    .split(".")
    .map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  const head = Buffer.from("beef01000001000000000000", "hex");
  return Buffer.concat([head, ...labels, Buffer.of(0, 0, type, 0, 1), Buffer.from(tail, "hex")]);
}

function answer(message: Buffer): string | undefined {
  return answerQuery(message, (name) => (name === NAME ? "10.7.64.9" : undefined))?.toString("hex");
}

function question(name: string, type: number): string {
  return query(name, type).subarray(12).toString("hex");
}

test("answerQuery(): gives a Service's address for its name in any case, whatever follows the question", () => {
  const edns = "0000291000000000000000";
  const record = "c00c00010001000000050004" + "0a074009";
  expect(answer(query(NAME, A, edns))).toBe(
    `beef85800001000100000000${question(NAME, A)}${record}`,
  );
  const loud = NAME.toUpperCase();
  expect(answer(query(loud, A))).toBe(`beef85800001000100000000${question(loud, A)}${record}`);
});

test("answerQuery(): knows that a Service has no IPv6 address, and that another name does not exist", () => {
  expect(answer(query(NAME, AAAA))).toBe(`beef85800001000000000000${question(NAME, AAAA)}`);
  const other = "echo.default.svc.cluster.local";
  expect(answer(query(other, A))).toBe(`beef85830001000000000000${question(other, A)}`);
});

test("answerQuery(): is silent to what is no query of one question", () => {
  expect(answer(Buffer.from("beef"))).toBeUndefined();
  expect(answer(query(NAME, A).subarray(0, 20))).toBeUndefined();
  expect(answer(Buffer.from("beef01000002000000000000", "hex"))).toBeUndefined();
});
