/**
 * Changes octets and texts as an attacker would: bits flipped, runs cut, doubled and moved between values, and the
 * characters and lengths that parsers fall over. The same `Random` gives the same changes.
 */
import { pick, type Random } from "./der-mutation.ts";

/** Ends, signs, escapes and white space of every text form here. */
const CHARACTERS = Buffer.from(
  "\0\t\n\r %:;,./\\[]{}()<>\"'-+*?=#@&|~^$!0129aZ\x7f\x80\xc0\xff",
  "latin1",
);
/** Of binary forms: lengths that lie. */
const NUMBERS: readonly Buffer[] = [
  Buffer.of(0, 0, 0, 0),
  Buffer.of(0xff, 0xff, 0xff, 0xff),
  Buffer.of(0x7f, 0xff, 0xff, 0xff),
  Buffer.of(0x80, 0, 0, 0),
  Buffer.of(0, 0, 0x40, 1),
];
const MAX_BYTES = 4_096;

/** One to four changes. `donors`: other values of the form, of which parts are taken. */
export function mutateBytes(random: Random, seed: Buffer, donors: readonly Buffer[]): Buffer {
  let bytes = seed;
  for (let i = 1 + random.below(4); i > 0; i -= 1) bytes = changed(random, bytes, donors);
  return bytes.length > MAX_BYTES ? bytes.subarray(0, MAX_BYTES) : bytes;
}

/** As `mutateBytes`, one character for each octet: also those that are no ASCII. */
export function mutateText(random: Random, seed: string, donors: readonly string[]): string {
  const others = donors.map((donor) => Buffer.from(donor, "latin1"));
  const text = mutateBytes(random, Buffer.from(seed, "latin1"), others).toString("latin1");
  // Now and then a character that looks like another.
  return random.below(50) === 0 ? text.replace("0", "٠").replace("a", "а") : text;
}

function changed(random: Random, bytes: Buffer, donors: readonly Buffer[]): Buffer {
  const at = random.below(bytes.length + 1);
  const length = random.below(random.below(4) === 0 ? 64 : 4) + 1;
  switch (random.below(8)) {
    case 0:
      return at < bytes.length
        ? replaced(bytes, at, Buffer.of((bytes[at] ?? 0) ^ (1 << random.below(8))))
        : bytes;
    case 1:
      return replaced(bytes, at, Buffer.of(random.below(256)));
    case 2:
      return inserted(bytes, at, Buffer.of(CHARACTERS[random.below(CHARACTERS.length)] ?? 0));
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 4:
      return inserted(bytes, at, bytes.subarray(at, at + length));
    case 5:
      return bytes.subarray(0, at);
    case 6: {
      const donor = pick(random, donors);
      const from = random.below(donor.length + 1);
      return inserted(bytes, at, donor.subarray(from, from + length * 4));
    }
    default:
      return replaced(bytes, at, pick(random, NUMBERS));
  }
}

function replaced(bytes: Buffer, at: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + by.length)]);
}

function inserted(bytes: Buffer, at: number, part: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
}
