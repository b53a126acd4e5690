/** Ids of traces and spans, by chance: drawn in advance for hundreds of requests, which a single draw would cost more than. */
import { randomFillSync } from "node:crypto";

const pool = Buffer.alloc(8_192);
let used = pool.length;

/** So many octets, in hexadecimal digits; never all zeros, which is no id. */
export function randomId(octets: number): string {
  for (;;) {
    if (used + octets > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    const id = pool.toString("hex", used, used + octets);
    used += octets;
    if (!/^0+$/.test(id)) return id;
  }
}
