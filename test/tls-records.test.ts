/** The reader by which stories say that all between the nodes is TLS: it must neither miss plaintext nor see some. */
import { expect, test } from "@jest/globals";
import { TlsRecordReader } from "./world/tls-records.ts";

const FIRST = 0xffff_fff0;
/** Two records of application data. */
const RECORDS = Buffer.concat([
  Buffer.from([23, 3, 3, 0, 20]),
  Buffer.alloc(20, 1),
  Buffer.from([23, 3, 3, 0, 3, 7, 8, 9]),
]);
const CUTS = [
  [0, 7],
  [7, 13],
  [13, 27],
  [27, 33],
] as const;

function read(order: readonly number[], bytes: Uint8Array = RECORDS): TlsRecordReader {
  const reader = new TlsRecordReader(FIRST);
  for (const i of order) {
    const [from, to] = CUTS[i] ?? [0, 0];
    reader.take((FIRST + from) >>> 0, bytes.subarray(from, to));
  }
  return reader;
}

test.each([[[0, 1, 2, 3]], [[1, 0, 2, 3]], [[3, 2, 1, 0]], [[0, 0, 2, 1, 1, 3, 3]]])(
  "TlsRecordReader: records are TLS in whatever order their segments are seen: %j",
  (order) => {
    const { isTls, bytes } = read(order);
    expect({ isTls, bytes }).toEqual({ isTls: true, bytes: RECORDS.length });
  },
);

test("TlsRecordReader: a gap that stays is not TLS", () => {
  expect(read([0, 2, 3]).isTls).toBe(false);
});

test("TlsRecordReader: text is not TLS, also behind a record and out of order", () => {
  const text = Uint8Array.from(RECORDS);
  text.set(new TextEncoder().encode("GET / HT"), 25);
  expect(read([0, 1, 2, 3], text).isTls).toBe(false);
  expect(read([3, 2, 1, 0], text).isTls).toBe(false);
  expect(read([0, 1], text).isTls).toBe(true);
});
