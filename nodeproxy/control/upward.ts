/**
 * What one stream still has to say to the operator, in order: Hello, then answers to batches, then
 * the latest report. Pulled by whoever writes the wire, so reports coalesce while it is busy.
 */
import { create } from "@bufbuild/protobuf";
import type { NodeReport } from "../../core/model/node-report.ts";
import type { RefusedResource } from "../../core/wire/decode-changes.ts";
import { encodeReport } from "../../core/wire/encode-report.ts";
import { enumKeys, RESOURCE_KINDS } from "../../core/wire/enum-table.ts";
import {
  type ConfigureRequest,
  ConfigureRequestSchema,
  ResourceKind,
} from "../../core/wire/gen/weft/v1/node_pb.ts";
import { PulledStream } from "../../core/wire/pulled-stream.ts";
import type { HeldVersion } from "./held-resources.ts";

/** About 100 bytes each: well below the 4 MiB that the operator reads. */
const HELD_A_HELLO = 10_000;
const MAX_ERRORS = 100;
const MAX_REASON_LENGTH = 500;

/** What became of a batch. */
export interface BatchAnswer {
  /** Empty: applied. Otherwise nothing of it was. */
  readonly errors: readonly RefusedResource[];
  /** Of an applied one: what this version cannot read whole. */
  readonly unread: readonly RefusedResource[];
}

export class Upward {
  readonly messages: PulledStream<ConfigureRequest>;
  readonly #queue: ConfigureRequest[];
  #report: NodeReport | undefined;

  constructor(version: string, held: readonly HeldVersion[]) {
    this.#queue = hellos(version, held);
    this.messages = new PulledStream(() => this.#queue.shift() ?? this.#takeReport());
  }

  acknowledge(nonce: bigint, { errors, unread }: BatchAnswer): void {
    const value = { nonce, errors: resourceErrors(errors), unread: resourceErrors(unread) };
    this.#queue.push(
      create(ConfigureRequestSchema, { message: { case: "acknowledgement", value } }),
    );
    this.messages.wake();
  }

  /** Replaces a report that has not been sent yet. */
  report(report: NodeReport): void {
    this.#report = report;
    this.messages.wake();
  }

  #takeReport(): ConfigureRequest | undefined {
    const report = this.#report;
    this.#report = undefined;
    if (report === undefined) return undefined;
    const value = encodeReport(report);
    return create(ConfigureRequestSchema, { message: { case: "report", value } });
  }
}

function resourceErrors(errors: readonly RefusedResource[]) {
  return errors.slice(0, MAX_ERRORS).map(({ kind, name, reason }) => ({
    kind: kind === undefined ? ResourceKind.UNSPECIFIED : RESOURCE_KINDS[kind],
    name,
    reason: reason.slice(0, MAX_REASON_LENGTH),
  }));
}

function hellos(version: string, held: readonly HeldVersion[]): ConfigureRequest[] {
  const kinds = enumKeys(RESOURCE_KINDS).map((kind) => RESOURCE_KINDS[kind]);
  const requests: ConfigureRequest[] = [];
  for (let start = 0; start === 0 || start < held.length; start += HELD_A_HELLO) {
    const part = held.slice(start, start + HELD_A_HELLO);
    const value = {
      version,
      kinds,
      held: part.map((one) => ({ ...one, kind: RESOURCE_KINDS[one.kind] })),
      more: start + HELD_A_HELLO < held.length,
    };
    requests.push(create(ConfigureRequestSchema, { message: { case: "hello", value } }));
  }
  return requests;
}
