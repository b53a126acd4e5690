/** An external authorizer that CUSTOM policies ask: where it is, how it is asked, and what holds when it does not answer. */
import type { StringMatch } from "./authorization-policy.ts";

export interface AuthorizationProvider {
  /** What policies name it by. */
  readonly name: string;
  /** `namespace/name` of its Service. */
  readonly service: string;
  /** Of the Service. */
  readonly port: number;
  /** For one question, connecting included. 1 ms to 10 min. */
  readonly timeoutMs: number;
  /** Whether what it cannot be asked about passes. What it denies never does. */
  readonly failOpen: boolean;
  /** HTTP status that callers get where it cannot be asked. 200 to 599. */
  readonly statusOnError: number;
  /** Absent: it is not sent the body. */
  readonly body?: BodyInCheck;
  readonly protocol: GrpcAuthorizer | HttpAuthorizer;
}

export interface BodyInCheck {
  readonly maxBytes: number;
  /** Send the first `maxBytes` of a longer body, instead of refusing the request. */
  readonly allowPartial: boolean;
  /** gRPC only: as bytes, for bodies that are no UTF-8. */
  readonly packAsBytes: boolean;
}

/** Envoy's ext_authz: `envoy.service.auth.v3.Authorization/Check`. */
export interface GrpcAuthorizer {
  readonly kind: "grpc";
}

/** The request itself with its path behind the prefix; 200 permits. Names of headers in lower case. */
export interface HttpAuthorizer {
  readonly kind: "http";
  readonly pathPrefix: string;
  /** Of the request, beside those that are always sent: host, method, path, content-length, authorization. */
  readonly requestHeaders: readonly StringMatch[];
  /** Added, in place of the request's own. */
  readonly additionalHeaders: readonly { readonly name: string; readonly value: string }[];
  /** Of the answer, put into the request that it permits. */
  readonly upstreamHeadersOnAllow: readonly StringMatch[];
  /** Of the answer, put into the workload's answer. */
  readonly downstreamHeadersOnAllow: readonly StringMatch[];
  /** Of the answer, sent with the denial; where none is named, all are. */
  readonly downstreamHeadersOnDeny: readonly StringMatch[];
}
