/**
 * The changes since the last snapshot, each on disk before anyone acts by it: a control process that is
 * killed must never go back to what ruled before, neither to a policy that is gone nor to plaintext.
 *
 * Files `journal.1`, `journal.2` and so on; a new one begins with each snapshot, whose writing makes those
 * before needless. Replayed in order, also over a snapshot that holds them already: the last word on each
 * resource is the same. Survives a kill, not the machine's end, with which `/run/weft` is empty anyway.
 */
import { createHash } from "node:crypto";
import { appendFileSync, closeSync, openSync, readdirSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Changes } from "../../core/model/resource.ts";
import type { Log } from "../../core/process/log.ts";
import { decodeChanges } from "../../core/wire/decode-changes.ts";
import { encodeRef, encodeResource } from "../../core/wire/encode-resource.ts";
import { ConfigureResponseSchema } from "../../core/wire/gen/weft/v1/node_pb.ts";

const FILE = /^journal\.([1-9][0-9]*)$/;
/** Of a record: length of its content (uint32, little-endian), SHA-256 of it. Then the content. */
const LENGTH_BYTES = 4;
const HEAD_BYTES = LENGTH_BYTES + 32;

export class ChangeJournal {
  readonly #directory: string;
  readonly #log: Log;
  readonly #onBroken: (() => void) | undefined;
  #number: number;
  #fd: number | undefined;
  /** A record is missing: what came after it must not be replayed without it. */
  #isBroken = false;
  #hasSkipped = false;

  /** Goes on after what is there. `onBroken`: a change is not on disk, so what is there must not be read again. */
  constructor(directory: string, log: Log, onBroken?: () => void) {
    this.#directory = directory;
    this.#log = log;
    this.#onBroken = onBroken;
    this.#number = (numbersIn(directory).at(-1) ?? 0) + 1;
  }

  append(changes: Changes): void {
    if (this.#isBroken) {
      this.#hasSkipped = true;
      return;
    }
    try {
      this.#fd ??= openSync(pathOf(this.#directory, this.#number), "a", 0o600);
      appendFileSync(this.#fd, encodeRecord(changes));
    } catch (error) {
      this.#isBroken = true;
      this.#hasSkipped = true;
      // The mesh runs on; the next snapshot holds the change.
      this.#log.error({ err: error }, "change not recorded");
      this.close();
      for (const number of numbersIn(this.#directory)) {
        rmSync(pathOf(this.#directory, number), { force: true });
      }
      this.#onBroken?.();
    }
  }

  /** From here on a new file. Returns what to call once a snapshot of this very moment is on disk. */
  rotate(): () => void {
    this.close();
    this.#number += 1;
    this.#hasSkipped = false;
    const first = this.#number;
    return () => {
      this.#isBroken &&= this.#hasSkipped;
      // What was lost since then is not in that snapshot either.
      if (this.#isBroken) this.#onBroken?.();
      for (const number of numbersIn(this.#directory)) {
        if (number < first) rmSync(pathOf(this.#directory, number), { force: true });
      }
    };
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

export type ReadJournal =
  | { readonly kind: "read"; readonly changes: readonly Changes[] }
  | { readonly kind: "unusable"; readonly reason: "incomplete" | "corrupt" };

/** `hasBase`: there is a snapshot. Without one only a journal from the very first change on is of use. */
export async function readJournal(directory: string, hasBase: boolean): Promise<ReadJournal> {
  const numbers = numbersIn(directory);
  const first = numbers[0];
  if (!hasBase && first !== undefined && first !== 1) {
    return { kind: "unusable", reason: "incomplete" };
  }
  const changes: Changes[] = [];
  for (const number of numbers) {
    const records = decodeRecords(await readFile(pathOf(directory, number)));
    if (!records) return { kind: "unusable", reason: "corrupt" };
    changes.push(...records);
  }
  return { kind: "read", changes };
}

function pathOf(directory: string, number: number): string {
  return join(directory, `journal.${number}`);
}

/** In the order of writing. */
function numbersIn(directory: string): readonly number[] {
  return readdirSync(directory)
    .flatMap((name) => FILE.exec(name)?.slice(1) ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
}

function encodeRecord({ upserts, removals }: Changes): Buffer {
  const message = create(ConfigureResponseSchema, {
    resources: upserts.map(encodeResource),
    removed: removals.map(encodeRef),
  });
  const content = toBinary(ConfigureResponseSchema, message);
  const head = Buffer.alloc(LENGTH_BYTES);
  head.writeUInt32LE(content.length);
  return Buffer.concat([head, sha256(content), content]);
}

/** A record that was cut short by a kill was never acted by, and none comes after it in its file. */
function decodeRecords(file: Buffer): readonly Changes[] | undefined {
  const changes: Changes[] = [];
  let at = 0;
  while (at + HEAD_BYTES <= file.length) {
    const end = at + HEAD_BYTES + file.readUInt32LE(at);
    if (end > file.length) break;
    const content = file.subarray(at + HEAD_BYTES, end);
    if (!sha256(content).equals(file.subarray(at + LENGTH_BYTES, at + HEAD_BYTES)))
      return undefined;
    const decoded = decodeContent(content);
    if (!decoded) return undefined;
    changes.push(decoded);
    at = end;
  }
  return changes;
}

function decodeContent(content: Uint8Array): Changes | undefined {
  try {
    const decoded = decodeChanges([fromBinary(ConfigureResponseSchema, content)]);
    return decoded.kind === "decoded" ? decoded.value : undefined;
  } catch {
    return undefined;
  }
}

function sha256(content: Uint8Array): Buffer {
  return createHash("sha256").update(content).digest();
}
