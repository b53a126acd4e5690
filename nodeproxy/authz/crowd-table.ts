/** Which keys do clauses have, how crowded is each, and under which is each clause filed? For the building of the index only. */
import { mixed } from "./key-hash.ts";
import type { KeyList } from "./key-list.ts";

/** A clause with more keys than these in one dimension is not filed by it but at the top: it would be filed under each of them within each of another's. */
const MANY = 32;

/** A hash table of keys; a slot is where one is. */
export class CrowdTable {
  readonly #keys: KeyList;
  readonly #mask: number;
  /** A key that stands for all of its dimension, kind and hash, and that dimension; -1: none. */
  readonly #samples: Int32Array;
  readonly #dimensions: Int32Array;
  /** How many clauses have the key. */
  readonly #crowds: Int32Array;
  /** How many are filed under it. */
  readonly #filed: Int32Array;
  /** Slots under which some clause is filed. */
  readonly filled: number[] = [];

  constructor(keys: KeyList, atMost: number) {
    let size = 16;
    while (size < atMost * 2) size *= 2;
    this.#keys = keys;
    this.#mask = size - 1;
    this.#samples = new Int32Array(size).fill(-1);
    this.#dimensions = new Int32Array(size);
    this.#crowds = new Int32Array(size);
    this.#filed = new Int32Array(size);
  }

  count(dimension: number, key: number): void {
    const slot = this.slot(dimension, key);
    this.#samples[slot] = key;
    this.#dimensions[slot] = dimension;
    this.#crowds[slot] = this.crowd(slot) + 1;
  }

  /** Where the key is, or is to be put. */
  slot(dimension: number, key: number): number {
    const hash = this.#keys.hash(key);
    const kind = this.#keys.kind(key);
    let slot = mixed(hash, dimension * 4096 + kind) & this.#mask;
    for (; (this.#samples[slot] ?? -1) >= 0; slot = (slot + 1) & this.#mask) {
      const isSame = this.hash(slot) === hash && this.kind(slot) === kind;
      if (isSame && this.dimension(slot) === dimension) return slot;
    }
    return slot;
  }

  crowd(slot: number): number {
    return this.#crowds[slot] ?? 0;
  }

  get size(): number {
    return this.#mask + 1;
  }

  filedAt(slot: number): number {
    return this.#filed[slot] ?? 0;
  }

  addTo(slot: number): void {
    if (this.filedAt(slot) === 0) this.filled.push(slot);
    this.#filed[slot] = this.filedAt(slot) + 1;
  }

  dimension(slot: number): number {
    return this.#dimensions[slot] ?? 0;
  }

  kind(slot: number): number {
    return this.#keys.kind(this.#samples[slot] ?? 0);
  }

  hash(slot: number): number {
    return this.#keys.hash(this.#samples[slot] ?? 0);
  }
}

/** `used`: bits of dimensions that are not looked at. */
export function countCrowds(keys: KeyList, ids: Int32Array, used: number): CrowdTable {
  let total = 0;
  forEachRun({ keys, ids, used }, (run) => {
    total += keys.end(run) - keys.first(run);
  });
  const crowds = new CrowdTable(keys, total);
  forEachRun({ keys, ids, used }, (run) => {
    for (let key = keys.first(run); key < keys.end(run); key += 1) {
      crowds.count(keys.dimension(run), key);
    }
  });
  return crowds;
}

interface Looked {
  readonly keys: KeyList;
  readonly ids: Int32Array;
  readonly used: number;
}

function forEachRun({ keys, ids, used }: Looked, visit: (run: number) => void): void {
  for (const id of ids) {
    const end = keys.endOfRuns(id);
    for (let run = keys.firstRun(id); run < end; run += 1) {
      if (isLookedAt(keys, run, used)) visit(run);
    }
  }
}

function isLookedAt(keys: KeyList, run: number, used: number): boolean {
  if (((used >> keys.dimension(run)) & 1) === 1) return false;
  return used === 0 || keys.end(run) - keys.first(run) <= MANY;
}

export interface Members {
  /** Clauses without a key. */
  readonly rest: Int32Array;
  /** Those filed under the key, in ascending order. */
  readonly of: (slot: number) => Int32Array;
}

/** Files each clause under all its keys of its least crowded dimension. */
export function membersOf({ keys, ids, used }: Looked, crowds: CrowdTable): Members {
  const chosen = Int32Array.from(ids, (id) => leastCrowded({ keys, id, used }, crowds));
  const rest = ids.filter((_, i) => (chosen[i] ?? -1) < 0);
  forEachFiled({ keys, ids, chosen }, (slot) => crowds.addTo(slot), crowds);
  let total = 0;
  const starts = new Int32Array(crowds.size);
  const ends = new Int32Array(crowds.size);
  for (const slot of crowds.filled) {
    starts[slot] = total;
    ends[slot] = total;
    total += crowds.filedAt(slot);
  }
  const members = new Int32Array(total);
  forEachFiled(
    { keys, ids, chosen },
    (slot, id) => {
      const end = ends[slot] ?? 0;
      // A key that is written twice files its clause once.
      if (end > (starts[slot] ?? 0) && members[end - 1] === id) return;
      members[end] = id;
      ends[slot] = end + 1;
    },
    crowds,
  );
  return { rest, of: (slot) => members.subarray(starts[slot], ends[slot]) };
}

interface Filing {
  readonly keys: KeyList;
  readonly ids: Int32Array;
  /** Run of each clause, or -1. */
  readonly chosen: Int32Array;
}

function forEachFiled(
  { keys, ids, chosen }: Filing,
  visit: (slot: number, id: number) => void,
  crowds: CrowdTable,
): void {
  for (let i = 0; i < ids.length; i += 1) {
    const run = chosen[i] ?? -1;
    if (run < 0) continue;
    const dimension = keys.dimension(run);
    for (let key = keys.first(run); key < keys.end(run); key += 1) {
      visit(crowds.slot(dimension, key), ids[i] ?? 0);
    }
  }
}

/** The run whose most crowded key is the least crowded; the first of equals; -1 without keys. */
function leastCrowded(
  { keys, id, used }: Pick<Looked, "keys" | "used"> & { readonly id: number },
  crowds: CrowdTable,
): number {
  let best = -1;
  let bestCrowd = Number.POSITIVE_INFINITY;
  const end = keys.endOfRuns(id);
  for (let run = keys.firstRun(id); run < end; run += 1) {
    if (!isLookedAt(keys, run, used)) continue;
    const crowd = mostCrowded(keys, run, crowds);
    if (crowd < bestCrowd) {
      best = run;
      bestCrowd = crowd;
    }
  }
  return best;
}

function mostCrowded(keys: KeyList, run: number, crowds: CrowdTable): number {
  const dimension = keys.dimension(run);
  let crowd = 0;
  for (let key = keys.first(run); key < keys.end(run); key += 1) {
    crowd = Math.max(crowd, crowds.crowd(crowds.slot(dimension, key)));
  }
  return crowd;
}
