/**
 * A question as Envoy's ext_authz puts it, and what an answer means: the only place that knows its fields.
 *
 * Reads answers strictly: one without a status is none, and one that says yes and no says no.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
  type DeniedHttpResponse,
  type HeaderValue,
  type OkHttpResponse,
} from "../../core/wire/gen/envoy/service/auth/v3/external_auth_pb.ts";
import { AskError } from "../ask/ask-error.ts";
import { isWritable } from "../ask/writable-field.ts";
import type { ProviderAnswer } from "../authz/attempt.ts";
import type { FieldLines, RequestHead } from "../http/message.ts";

/** One connection, or one request on it. */
export interface Question {
  /** As the workload would receive it; absent where no HTTP is read. */
  readonly head?: RequestHead;
  readonly source: QuestionEnd;
  readonly destination: QuestionEnd;
  /** Milliseconds since the epoch, when it arrived. */
  readonly atMs: number;
}

export interface QuestionEnd {
  readonly address: string;
  readonly port: number;
  /** `spiffe://…` as proven, "" for plaintext; of the destination its own. */
  readonly principal: string;
}

/** What an authorizer has said. */
export interface Said {
  readonly answer: ProviderAnswer;
  /** Of a request that it permits: what the workload is to see. */
  readonly changes?: SaidChanges;
  /** Of a request that it denies: what the caller is to get. */
  readonly denial?: SaidDenial;
}

export interface SaidChanges {
  /** Lower case. */
  readonly remove: readonly string[];
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly append: readonly (readonly [name: string, value: string])[];
}

export interface SaidDenial {
  readonly status: number;
  readonly body: string;
  readonly fields: FieldLines;
}

export function checkBytes({ source, destination, atMs, head }: Question): Uint8Array {
  const request = create(CheckRequestSchema, {
    attributes: {
      source: peerOf(source),
      destination: peerOf(destination),
      request: { time: timestampFromMs(atMs), ...(head ? { http: httpOf(head) } : {}) },
    },
  });
  return toBinary(CheckRequestSchema, request);
}

/** `google.rpc.Code.OK` alone permits. Throws `AskError`. */
export function answerIn(bytes: Uint8Array): Said {
  const { status, httpResponse } = parse(bytes);
  if (!status) throw new AskError("failed");
  if (status.code === 0 && httpResponse.case !== "deniedResponse") {
    const { value } = httpResponse;
    return { answer: "permit", ...(value ? { changes: changesIn(value) } : {}) };
  }
  const denied = httpResponse.case === "deniedResponse" ? httpResponse.value : undefined;
  return { answer: "deny", ...(denied ? { denial: denialIn(denied) } : {}) };
}

function changesIn({ headers, headersToRemove }: OkHttpResponse): SaidChanges {
  const named = headers.flatMap(({ header, append }) => {
    const name = header?.key.toLowerCase() ?? "";
    const value = valueOf(header);
    return isWritable(name, value) ? [{ line: [name, value] as const, append }] : [];
  });
  const remove = headersToRemove.map((name) => name.toLowerCase());
  return {
    remove: remove.filter((name) => isWritable(name, "")),
    set: named.filter(({ append }) => append !== true).map(({ line }) => line),
    append: named.filter(({ append }) => append === true).map(({ line }) => line),
  };
}

function denialIn({ status, headers, body }: DeniedHttpResponse): SaidDenial {
  const fields = headers.flatMap(({ header }) => {
    const name = header?.key.toLowerCase() ?? "";
    const value = valueOf(header);
    return isWritable(name, value) ? [name, value] : [];
  });
  return { status: deniedStatus(status?.code ?? 0), body, fields };
}

/** One that says yes, or none, is no denial's. */
export function deniedStatus(status: number): number {
  return Number.isInteger(status) && status >= 300 && status <= 599 ? status : 403;
}

function valueOf(header: HeaderValue | undefined): string {
  if (!header) return "";
  const { value, rawValue } = header;
  return value === "" && rawValue.length > 0 ? Buffer.from(rawValue).toString("latin1") : value;
}

/** As Envoy tells it: pseudo-headers among the headers, and the lines of one name joined. */
function httpOf(head: RequestHead) {
  const { method, scheme, authority, version } = head;
  const path = `${head.path}${head.query}`;
  const headers = new Map([
    [":authority", authority],
    [":method", method],
    [":path", path],
    [":scheme", scheme],
  ]);
  for (let i = 0; i + 1 < head.fields.length; i += 2) {
    const name = head.fields[i] ?? "";
    const value = head.fields[i + 1] ?? "";
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
  }
  const protocol = version === "2" ? "HTTP/2" : `HTTP/${version}`;
  return {
    method,
    path,
    host: authority,
    scheme,
    protocol,
    headers: Object.fromEntries(headers),
  };
}

function parse(bytes: Uint8Array): CheckResponse {
  try {
    return fromBinary(CheckResponseSchema, bytes);
  } catch (error) {
    throw new AskError("failed", { cause: error });
  }
}

function peerOf({ address, port, principal }: QuestionEnd) {
  const portSpecifier = { case: "portValue", value: port } as const;
  return {
    principal,
    address: { address: { case: "socketAddress", value: { address, portSpecifier } } as const },
  };
}
