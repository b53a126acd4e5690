import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";

const LISTS = { bytes: 1 << 20, fields: 1_000 };
const GRPC = [
  ":method",
  "POST",
  ":scheme",
  "http",
  ":path",
  "/shop.Cart/Add",
  ":authority",
  "cart.shop",
  "content-type",
  "application/grpc",
  "te",
  "trailers",
];

function pair() {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(LISTS);
  return {
    encoder,
    carry: (fields: readonly string[], secret?: readonly string[]) => {
      const block = Buffer.from(encoder.encode(fields, secret));
      return { bytes: block.length, block, list: decoder.decode(block) };
    },
  };
}

test("HpackEncoder: what is said again is said in one octet each", () => {
  const { carry } = pair();
  const sizes = Array.from({ length: 4 }, () => {
    const { bytes, list } = carry(GRPC);
    expect(list.fields).toEqual(GRPC);
    return bytes;
  });
  expect(sizes.at(-1)).toBe(GRPC.length / 2);
});

test("HpackEncoder: what never comes again takes no place in the table", () => {
  const { carry } = pair();
  for (let i = 0; i < 3; i += 1) carry(GRPC);
  for (let i = 0; i < 1_000; i += 1) {
    const fields = ["traceparent", `00-${i}`, "x-request-id", `${i}`];
    expect(carry(fields).list.fields).toEqual(fields);
  }
  expect(carry(GRPC).bytes).toBe(GRPC.length / 2);
});

test("HpackEncoder: names that are too long for the table keep no others out of it", () => {
  const { carry } = pair();
  for (let i = 0; i < 300; i += 1) carry([`x-${"a".repeat(2_000)}-${i}`, ""]);
  for (let i = 0; i < 3; i += 1) carry(GRPC);
  expect(carry(GRPC).bytes).toBe(GRPC.length / 2);
});

test("HpackEncoder: secrets are never indexed where no more names are remembered either", () => {
  const { carry } = pair();
  for (let i = 0; i < 300; i += 1) carry([`x-${i}`, "1"]);
  const { block, list } = carry(["authorization", "Bearer x", "x-key", "1"], ["x-key"]);
  expect(list.secret).toEqual(["authorization", "x-key"]);
  expect(block[0]).toBe(0x1f);
});

test("HpackEncoder: secrets are never indexed, and their form says so", () => {
  const { carry } = pair();
  for (let i = 0; i < 5; i += 1) {
    const { block, list } = carry(["authorization", "Bearer x", "x-key", "1"], ["x-key"]);
    expect(list.fields).toEqual(["authorization", "Bearer x", "x-key", "1"]);
    expect(list.secret).toEqual(["authorization", "x-key"]);
    expect(block[0]).toBe(0x1f);
  }
});

test("HpackEncoder: a table that the peer makes smaller, or none at all, is confirmed and kept to", () => {
  const { encoder, carry } = pair();
  for (let i = 0; i < 3; i += 1) carry(GRPC);
  encoder.resize(0);
  encoder.resize(100);
  const { block, list } = carry(GRPC);
  // Both sizes: RFC 7541 4.2.
  expect([block[0], block[1]]).toEqual([0x20, 0x3f]);
  expect(list.fields).toEqual(GRPC);
  encoder.resize(0);
  for (let i = 0; i < 3; i += 1) expect(carry(GRPC).list.fields).toEqual(GRPC);
});

test("HpackEncoder: whatever is said, in whatever tables, is read as it was said", () => {
  const name = fc.stringMatching(/^[a-z-]{1,12}$/);
  const value = fc.oneof(
    fc.constantFrom("a", "b", "application/grpc", "x".repeat(200)),
    fc.stringMatching(/^[ -~\xa0-\xff]{0,60}$/),
  );
  const step = fc.oneof(
    { weight: 9, arbitrary: fc.array(fc.tuple(name, value), { maxLength: 20 }) },
    { weight: 1, arbitrary: fc.nat(8_000) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { encoder, carry } = pair();
      const said: string[][] = [];
      const read: (readonly string[])[] = [];
      for (const one of steps) {
        if (typeof one === "number") {
          encoder.resize(Math.min(one, 4_096));
          continue;
        }
        said.push(one.flat());
        read.push(carry(one.flat()).list.fields);
      }
      expect(read).toEqual(said);
    }),
  );
});
