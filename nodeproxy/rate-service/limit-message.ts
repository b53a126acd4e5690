/**
 * A question as Envoy's rate limit service takes it, and what an answer means: the only place that knows its fields.
 *
 * Reads answers strictly: one without a code for the whole is none.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  RateLimitResponse_Code as Code,
  RateLimitRequestSchema,
  type RateLimitResponse,
  RateLimitResponseSchema,
  type RateLimitResponse_DescriptorStatus as Status,
  RateLimitResponse_RateLimit_Unit as Unit,
} from "../../core/wire/gen/envoy/service/ratelimit/v3/rls_pb.ts";
import { AskError } from "../ask/ask-error.ts";
import { isWritable } from "../ask/writable-field.ts";
import type { FieldLines } from "../http/message.ts";
import type { AppliedLimit, GlobalLimit } from "../limit/rate-limits.ts";

export interface LimitQuestion {
  readonly domain: string;
  readonly limits: readonly GlobalLimit[];
}

/** What the service has said. */
export interface CountedElsewhere {
  readonly isRefused: boolean;
  /** Of the limits that its configuration knows. */
  readonly applied: readonly AppliedLimit[];
  /** For the caller, with whatever the request is answered. */
  readonly fields: FieldLines;
  /** Of the answer to a request that is refused; "" where it does not say. */
  readonly body: string;
}

const SECOND_MS = 1000;
const DAY_MS = 86_400 * SECOND_MS;
/** As the service itself counts months and years. */
const UNITS_MS: Readonly<Record<Unit, number>> = {
  [Unit.UNKNOWN]: 0,
  [Unit.SECOND]: SECOND_MS,
  [Unit.MINUTE]: 60 * SECOND_MS,
  [Unit.HOUR]: 3600 * SECOND_MS,
  [Unit.DAY]: DAY_MS,
  [Unit.WEEK]: 7 * DAY_MS,
  [Unit.MONTH]: 30 * DAY_MS,
  [Unit.YEAR]: 365 * DAY_MS,
};
/** What an answer is made of, which a service that counts has no say in. */
const OURS = /^(content-.*|grpc-.*|x-weft-.*)$/;

/** One hit for each of the limits. */
export function questionBytes({ domain, limits }: LimitQuestion): Uint8Array {
  const descriptors = limits.map(({ entries }) => ({
    entries: entries.map(([key, value]) => ({ key, value })),
  }));
  return toBinary(RateLimitRequestSchema, create(RateLimitRequestSchema, { domain, descriptors }));
}

/** `limits`: those that were asked about, in that order. Throws `AskError`. */
export function answerIn(bytes: Uint8Array, limits: readonly GlobalLimit[]): CountedElsewhere {
  const { overallCode, statuses, responseHeadersToAdd, rawBody } = parse(bytes);
  if (overallCode !== Code.OK && overallCode !== Code.OVER_LIMIT) throw new AskError("failed");
  const isRefused = overallCode === Code.OVER_LIMIT;
  const applied = limits.flatMap(({ name }, i) => {
    const status = statuses[i];
    return status ? appliedBy(name, status) : [];
  });
  const fields = responseHeadersToAdd.flatMap(({ key, value, rawValue }) => {
    const name = key.toLowerCase();
    const text = value === "" ? Buffer.from(rawValue).toString("latin1") : value;
    return isWritable(name, text) && !OURS.test(name) ? [name, text] : [];
  });
  return { isRefused, applied, fields, body: Buffer.from(rawBody).toString("utf8") };
}

/** Nothing where the service has no such limit. */
function appliedBy(name: string, status: Status): readonly AppliedLimit[] {
  const { code, currentLimit, limitRemaining: left, durationUntilReset } = status;
  const windowMs = UNITS_MS[currentLimit?.unit ?? Unit.UNKNOWN] ?? 0;
  if (!currentLimit || windowMs === 0) return [];
  const moreMs = durationUntilReset ? Math.max(0, durationMs(durationUntilReset)) : windowMs;
  const waitMs = code === Code.OVER_LIMIT ? moreMs : 0;
  return [{ name, requests: currentLimit.requestsPerUnit, windowMs, waitMs, left, moreMs }];
}

function parse(bytes: Uint8Array): RateLimitResponse {
  try {
    return fromBinary(RateLimitResponseSchema, bytes);
  } catch (error) {
    throw new AskError("failed", { cause: error });
  }
}
