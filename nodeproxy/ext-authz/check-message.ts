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
} from "../../core/wire/gen/envoy/service/auth/v3/external_auth_pb.ts";
import type { ProviderAnswer } from "../authz/attempt.ts";
import { AuthorizerError } from "./authorizer-error.ts";

/** One connection. */
export interface Question {
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

export function checkBytes({ source, destination, atMs }: Question): Uint8Array {
  const request = create(CheckRequestSchema, {
    attributes: {
      source: peerOf(source),
      destination: peerOf(destination),
      request: { time: timestampFromMs(atMs) },
    },
  });
  return toBinary(CheckRequestSchema, request);
}

/** `google.rpc.Code.OK` alone permits. Throws `AuthorizerError`. */
export function answerIn(bytes: Uint8Array): ProviderAnswer {
  const { status, httpResponse } = parse(bytes);
  if (!status) throw new AuthorizerError("failed");
  return status.code === 0 && httpResponse.case !== "deniedResponse" ? "permit" : "deny";
}

function parse(bytes: Uint8Array): CheckResponse {
  try {
    return fromBinary(CheckResponseSchema, bytes);
  } catch (error) {
    throw new AuthorizerError("failed", { cause: error });
  }
}

function peerOf({ address, port, principal }: QuestionEnd) {
  const portSpecifier = { case: "portValue", value: port } as const;
  return {
    principal,
    address: { address: { case: "socketAddress", value: { address, portSpecifier } } as const },
  };
}
