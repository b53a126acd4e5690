/** What a TrafficPolicy says of requests, as protobuf. Total: every value of the model has a form on the wire. */
import { create } from "@bufbuild/protobuf";
import type {
  AnswerOutliers,
  Fault,
  GrpcCheck,
  HashOn,
  HttpCheck,
  HttpRetry,
  HttpSettings,
} from "../model/http-settings.ts";
import { encodeSession } from "./encode-routes.ts";
import { RETRY_CAUSES } from "./enum-table.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

export function encodeHttpSettings(settings: HttpSettings): wire.HttpSettings {
  const { retry, retryBudget, hedge, limits, breaker, outliers, check, session, fault } = settings;
  const { requestTimeoutMs, tryTimeoutMs, idleTimeoutMs } = settings;
  return create(wire.HttpSettingsSchema, {
    requestTimeoutMs,
    tryTimeoutMs,
    idleTimeoutMs,
    retryBudget: create(wire.RetryBudgetSchema, retryBudget),
    limits: create(wire.RequestLimitsSchema, limits),
    ...(retry && { retry: encodeRetry(retry) }),
    ...(hedge && { hedge: create(wire.HedgeSchema, hedge) }),
    ...(breaker && { breaker: create(wire.BreakerSchema, breaker) }),
    ...(outliers && { outliers: encodeOutliers(outliers) }),
    ...(check && { check: encodeCheck(check) }),
    hashOn: encodeHash(settings.hashOn),
    ...(session && { session: encodeSession(session) }),
    failover: settings.failover.map(({ from, to }) =>
      create(wire.FailoverStepSchema, { from, to: [...to] }),
    ),
    ...(fault && { fault: encodeFault(fault) }),
    plugins: (settings.plugins ?? []).map((use) => create(wire.PluginUseSchema, use)),
  });
}

function encodeRetry({ codes, grpcCodes, on, ...rest }: HttpRetry): wire.HttpRetry {
  return create(wire.HttpRetrySchema, {
    ...rest,
    codes: [...codes],
    grpcCodes: [...grpcCodes],
    on: on.map((cause) => RETRY_CAUSES[cause]),
  });
}

function encodeOutliers({
  successRate,
  failurePercentage,
  ...rest
}: AnswerOutliers): wire.AnswerOutliers {
  return create(wire.AnswerOutliersSchema, {
    ...rest,
    ...(successRate && { successRate: create(wire.SuccessRateSchema, successRate) }),
    ...(failurePercentage && {
      failurePercentage: create(wire.FailurePercentageSchema, failurePercentage),
    }),
  });
}

function encodeCheck(check: HttpCheck | GrpcCheck): wire.HttpSettings["check"] {
  const { intervalMs, timeoutMs, healthyThreshold, unhealthyThreshold } = check;
  const timing = create(wire.TcpCheckSchema, {
    intervalMs,
    timeoutMs,
    healthyThreshold,
    unhealthyThreshold,
  });
  switch (check.kind) {
    case "http": {
      const { path, host } = check;
      const statuses = check.statuses.map(([from, to]) =>
        create(wire.StatusRangeSchema, { from, to }),
      );
      const init = { path, host, statuses, timing };
      return { case: "httpCheck", value: create(wire.HttpCheckSchema, init) };
    }
    case "grpc": {
      const { service } = check;
      return { case: "grpcCheck", value: create(wire.GrpcCheckSchema, { service, timing }) };
    }
  }
}

function encodeHash(hashOn: HashOn): wire.HttpSettings["hashOn"] {
  switch (hashOn.kind) {
    case "source":
      return { case: undefined };
    case "header":
      return { case: "hashHeader", value: hashOn.name };
    case "query":
      return { case: "hashQuery", value: hashOn.name };
    case "cookie": {
      const { name, path, ttlMs } = hashOn;
      return { case: "hashCookie", value: create(wire.HashCookieSchema, { name, path, ttlMs }) };
    }
  }
}

function encodeFault({ delay, abort }: Fault): wire.Fault {
  return create(wire.FaultSchema, {
    ...(delay && { delay: create(wire.FaultDelaySchema, delay) }),
    ...(abort && { abort: encodeAbort(abort) }),
  });
}

function encodeAbort({ grpcStatus, ...rest }: NonNullable<Fault["abort"]>): wire.FaultAbort {
  return create(wire.FaultAbortSchema, {
    ...rest,
    ...(grpcStatus === undefined ? {} : { grpcStatus }),
  });
}
