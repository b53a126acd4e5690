/** Reads `fault` of a TrafficPolicy's `http`, Istio's HTTPFaultInjection: what is made to go wrong, and for how many. */
import type { Fault, FaultAbort, FaultDelay } from "../../core/model/http-settings.ts";
import { type Field, member, refuse } from "./fields.ts";
import { missing } from "./gateway-fields.ts";
import { grpcFailure } from "./grpc-status.ts";
import { durationMember, integerMember, objectMember } from "./members.ts";
import { partsPerMillion } from "./share.ts";

/** Of callers who do not speak gRPC, where the fault is told in gRPC's status alone. */
const UNAVAILABLE = 503;

export function readFault(http: Field): Fault | undefined {
  const field = objectMember(http, "fault", ["delay", "abort"]);
  if (!field) return undefined;
  if (!member(field, "delay") && !member(field, "abort")) {
    refuse(field, "delay or abort must be given");
  }
  return { delay: readDelay(field), abort: readAbort(field) };
}

function readDelay(fault: Field): FaultDelay | undefined {
  const field = objectMember(fault, "delay", ["percentage", "fixedDelay"]);
  if (!field) return undefined;
  if (!member(field, "fixedDelay")) refuse(missing(field, "fixedDelay"), "must be given");
  return {
    partsPerMillion: readShare(field),
    delayMs: durationMember(field, "fixedDelay", 1) ?? 0,
  };
}

function readAbort(fault: Field): FaultAbort | undefined {
  const field = objectMember(fault, "abort", ["percentage", "httpStatus", "grpcStatus"]);
  if (!field) return undefined;
  const grpc = member(field, "grpcStatus");
  if (!grpc && !member(field, "httpStatus")) {
    refuse(field, "httpStatus or grpcStatus must be given");
  }
  return {
    partsPerMillion: readShare(field),
    status: integerMember(field, "httpStatus", [200, 599]) ?? UNAVAILABLE,
    grpcStatus: grpc && grpcFailure(grpc),
  };
}

/** Must be said: what is left out means none with Istio, and all with others. */
function readShare(parent: Field): number {
  const percentage = objectMember(parent, "percentage", ["value"]);
  const value = percentage && member(percentage, "value");
  if (value) return partsPerMillion(value);
  refuse(missing(parent, "percentage"), "must be given, with a value");
  return 0;
}
