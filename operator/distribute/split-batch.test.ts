import { toBinary } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Resource, ResourceRef } from "../../core/model/resource.ts";
import { ConfigureResponseSchema } from "../../core/wire/gen/weft/v1/node_pb.ts";
import { sizeOfResource, splitBatch } from "./split-batch.ts";

const PART_BYTES = 1_048_576;

function bundle(name: string, kilobytes: number): Resource {
  const roots = [new Uint8Array(kilobytes * 1024)];
  return {
    name,
    version: "1",
    body: { kind: "bundle", value: { trustDomain: name, roots, issuer: "", retired: [] } },
  };
}

const SIZES = fc.array(fc.integer({ min: 1, max: 1500 }), { maxLength: 8 });

test("splitBatch(): every resource and removal once and in order, parts bounded, all but the last with more to come", () => {
  fc.assert(
    fc.property(SIZES, fc.integer({ min: 0, max: 4500 }), (sizes, gone) => {
      const upserts = sizes.map((size, i) => bundle(`b${i}`, size));
      const removals = Array.from({ length: gone }, (_, i): ResourceRef => {
        return { kind: "policy", name: `p${i}` };
      });
      const parts = splitBatch(7n, { upserts, removals });
      expect(parts.flatMap(({ resources }) => resources.map(({ name }) => name))).toEqual(
        upserts.map(({ name }) => name),
      );
      expect(parts.flatMap(({ removed }) => removed.map(({ name }) => name))).toEqual(
        removals.map(({ name }) => name),
      );
      expect(parts.map(({ more }) => more)).toEqual(parts.map((_, i) => i < parts.length - 1));
      for (const part of parts) {
        expect(part.nonce).toBe(7n);
        const isOne = part.resources.length === 1;
        const bytes = toBinary(ConfigureResponseSchema, part).length;
        expect(isOne || bytes <= PART_BYTES + 1024).toBe(true);
      }
    }),
    { numRuns: 30 },
  );
});

test("splitBatch(): an empty batch is one part that ends it", () => {
  expect(splitBatch(1n, { upserts: [], removals: [] })).toMatchObject([{ nonce: 1n, more: false }]);
});

test("sizeOfResource(): is what it takes on the wire", () => {
  expect(sizeOfResource(bundle("b", 10))).toBeGreaterThan(10 * 1024);
  expect(sizeOfResource(bundle("b", 10))).toBeLessThan(10 * 1024 + 100);
});
