/** What a TrafficPolicy says of requests, from protobuf; what an older operator does not say has its default. */
import {
  type AnswerOutliers,
  type BreakerSettings,
  DEFAULT_HTTP_SETTINGS,
  type Fault,
  type HashOn,
  type HttpRetry,
  type HttpSettings,
  type PluginUse,
  type RequestLimits,
  type RetryBudget,
} from "../model/http-settings.ts";
import type { TcpCheckSettings } from "../model/traffic-settings.ts";
import { decodeSession } from "./decode-routes.ts";
import { RETRY_CAUSES } from "./enum-table.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

/** A timer of Node cannot be longer. */
const MAX_TIMER_MS = 0x7fff_ffff;
const MAX_COUNT = 1_000_000;
const MAX_ATTEMPTS = 1_000;
const MILLION = 1_000_000;
/** UNAUTHENTICATED: the last of gRPC's status numbers. */
const LAST_GRPC_STATUS = 16;
const TIME = [0, MAX_TIMER_MS] as const;
const SOME_TIME = [1, MAX_TIMER_MS] as const;
const PERCENT = [0, 100] as const;
const STATUS = [100, 599] as const;

export function decodeHttpSettings(
  http: wire.HttpSettings | undefined,
  findings: Findings,
): HttpSettings {
  if (!http) return DEFAULT_HTTP_SETTINGS;
  const { requestTimeoutMs, tryTimeoutMs, idleTimeoutMs, hedge, session } = http;
  const defaults = DEFAULT_HTTP_SETTINGS;
  return {
    requestTimeoutMs: findings.integer("http.requestTimeoutMs", requestTimeoutMs, TIME),
    tryTimeoutMs: findings.integer("http.tryTimeoutMs", tryTimeoutMs, TIME),
    idleTimeoutMs: findings.integer("http.idleTimeoutMs", idleTimeoutMs, TIME),
    retry: http.retry && decodeRetry(http.retry, findings),
    retryBudget: http.retryBudget ? decodeBudget(http.retryBudget, findings) : defaults.retryBudget,
    hedge: hedge && {
      delayMs: findings.integer("http.hedge.delayMs", hedge.delayMs, TIME),
      attempts: findings.integer("http.hedge.attempts", hedge.attempts, [1, MAX_ATTEMPTS]),
    },
    limits: http.limits ? decodeLimits(http.limits, findings) : defaults.limits,
    breaker: http.breaker && decodeBreaker(http.breaker, findings),
    outliers: http.outliers && decodeOutliers(http.outliers, findings),
    check: decodeCheck(http.check, findings),
    hashOn: decodeHash(http.hashOn, findings),
    session: session && decodeSession(session, findings),
    failover: http.failover.map(({ from, to }) => ({
      from: findings.name("http.failover.from", from),
      to: to.map((zone) => findings.name("http.failover.to", zone)),
    })),
    fault: http.fault && decodeFault(http.fault, findings),
    ...(http.plugins.length > 0 && {
      plugins: http.plugins.map((use) => decodeUse(use, findings)),
    }),
  };
}

function decodeUse({ name, config }: wire.PluginUse, findings: Findings): PluginUse {
  return {
    name: findings.name("http.plugins.name", name),
    config: findings.json("http.plugins.config", config),
  };
}

function decodeRetry(retry: wire.HttpRetry, findings: Findings): HttpRetry {
  const { attempts, codes, grpcCodes, on, backoffMs, maxBackoffMs } = retry;
  return {
    attempts: findings.integer("http.retry.attempts", attempts, [0, MAX_ATTEMPTS]),
    codes: codes.map((code) => findings.integer("http.retry.codes", code, STATUS)),
    grpcCodes: grpcCodes.map((code) =>
      findings.integer("http.retry.grpcCodes", code, [1, LAST_GRPC_STATUS]),
    ),
    on: on.map((cause) => findings.member("http.retry.on", RETRY_CAUSES, cause)),
    backoffMs: findings.integer("http.retry.backoffMs", backoffMs, TIME),
    maxBackoffMs: findings.integer("http.retry.maxBackoffMs", maxBackoffMs, TIME),
  };
}

function decodeBudget(budget: wire.RetryBudget, findings: Findings): RetryBudget {
  const { percent, intervalMs, minRetries } = budget;
  return {
    percent: findings.integer("http.retryBudget.percent", percent, PERCENT),
    intervalMs: findings.integer("http.retryBudget.intervalMs", intervalMs, SOME_TIME),
    minRetries: findings.integer("http.retryBudget.minRetries", minRetries, [0, MAX_COUNT]),
  };
}

function decodeLimits(limits: wire.RequestLimits, findings: Findings): RequestLimits {
  const { maxRequests, maxRequestsPerEndpoint, maxPending, maxRequestsPerConnection } = limits;
  return {
    maxRequests,
    maxRequestsPerEndpoint,
    maxPending,
    pendingTimeoutMs: findings.integer(
      "http.limits.pendingTimeoutMs",
      limits.pendingTimeoutMs,
      TIME,
    ),
    maxRequestsPerConnection,
  };
}

function decodeBreaker(breaker: wire.Breaker, findings: Findings): BreakerSettings {
  const { consecutiveFailures, openMs, maxOpenMs, halfOpenRequests } = breaker;
  const count = [1, MAX_COUNT] as const;
  return {
    consecutiveFailures: findings.integer(
      "http.breaker.consecutiveFailures",
      consecutiveFailures,
      count,
    ),
    openMs: findings.integer("http.breaker.openMs", openMs, SOME_TIME),
    maxOpenMs: findings.integer("http.breaker.maxOpenMs", maxOpenMs, SOME_TIME),
    halfOpenRequests: findings.integer("http.breaker.halfOpenRequests", halfOpenRequests, count),
  };
}

function decodeOutliers(outliers: wire.AnswerOutliers, findings: Findings): AnswerOutliers {
  const { consecutive5xx, consecutiveGatewayErrors, successRate, failurePercentage } = outliers;
  return {
    consecutive5xx,
    consecutiveGatewayErrors,
    intervalMs: findings.integer("http.outliers.intervalMs", outliers.intervalMs, SOME_TIME),
    successRate: successRate && {
      minimumHosts: successRate.minimumHosts,
      requestVolume: successRate.requestVolume,
      stdevFactor: successRate.stdevFactor,
    },
    failurePercentage: failurePercentage && {
      threshold: findings.integer(
        "http.outliers.failurePercentage.threshold",
        failurePercentage.threshold,
        PERCENT,
      ),
      minimumHosts: failurePercentage.minimumHosts,
      requestVolume: failurePercentage.requestVolume,
    },
  };
}

function decodeCheck(check: wire.HttpSettings["check"], findings: Findings): HttpSettings["check"] {
  switch (check.case) {
    case "httpCheck": {
      const { path, host, statuses, timing } = check.value;
      return {
        kind: "http",
        path: findings.text("http.check.path", path),
        host: findings.optionalName("http.check.host", host),
        statuses: statuses.map(({ from, to }) => [
          findings.integer("http.check.statuses.from", from, STATUS),
          findings.integer("http.check.statuses.to", to, [from, STATUS[1]]),
        ]),
        ...decodeTiming(timing, findings),
      };
    }
    case "grpcCheck": {
      const { service, timing } = check.value;
      return {
        kind: "grpc",
        service: findings.text("http.check.service", service),
        ...decodeTiming(timing, findings),
      };
    }
    case undefined:
      return undefined;
  }
}

function decodeTiming(timing: wire.TcpCheck | undefined, findings: Findings): TcpCheckSettings {
  const threshold = [1, 1_000] as const;
  return {
    intervalMs: findings.integer("http.check.intervalMs", timing?.intervalMs ?? 0, SOME_TIME),
    timeoutMs: findings.integer("http.check.timeoutMs", timing?.timeoutMs ?? 0, SOME_TIME),
    healthyThreshold: findings.integer(
      "http.check.healthyThreshold",
      timing?.healthyThreshold ?? 0,
      threshold,
    ),
    unhealthyThreshold: findings.integer(
      "http.check.unhealthyThreshold",
      timing?.unhealthyThreshold ?? 0,
      threshold,
    ),
  };
}

function decodeHash(hashOn: wire.HttpSettings["hashOn"], findings: Findings): HashOn {
  switch (hashOn.case) {
    case "hashHeader":
      return { kind: "header", name: findings.name("http.hashOn.header", hashOn.value) };
    case "hashQuery":
      return { kind: "query", name: findings.name("http.hashOn.query", hashOn.value) };
    case "hashCookie": {
      const { name, path, ttlMs } = hashOn.value;
      return {
        kind: "cookie",
        name: findings.name("http.hashOn.cookie.name", name),
        path: findings.optionalName("http.hashOn.cookie.path", path),
        ttlMs: findings.integer("http.hashOn.cookie.ttlMs", ttlMs, TIME),
      };
    }
    case undefined:
      return { kind: "source" };
  }
}

function decodeFault({ delay, abort }: wire.Fault, findings: Findings): Fault {
  const share = [0, MILLION] as const;
  return {
    delay: delay && {
      partsPerMillion: findings.integer("http.fault.delay", delay.partsPerMillion, share),
      delayMs: findings.integer("http.fault.delay.delayMs", delay.delayMs, TIME),
    },
    abort: abort && {
      partsPerMillion: findings.integer("http.fault.abort", abort.partsPerMillion, share),
      status: findings.integer("http.fault.abort.status", abort.status, [200, 599]),
      grpcStatus:
        abort.grpcStatus === undefined
          ? undefined
          : findings.integer("http.fault.abort.grpcStatus", abort.grpcStatus, [
              0,
              LAST_GRPC_STATUS,
            ]),
    },
  };
}
