/** Reads `extensionProviders` of MeshConfig, in Istio's shape: the external authorizers that CUSTOM policies ask. */
import type {
  AuthorizationProvider,
  BodyInCheck,
  GrpcAuthorizer,
  HttpAuthorizer,
} from "../../core/model/authorization-provider.ts";
import { durationMs } from "./duration.ts";
import {
  type Field,
  isFields,
  isObjectOf,
  listOf,
  member,
  type Reason,
  refuse,
  text,
} from "./fields.ts";
import { readServiceHost } from "./service-reference.ts";
import { parseStringMatch } from "./string-match.ts";

const SAME = [
  "service",
  "port",
  "timeout",
  "failOpen",
  "statusOnError",
  "includeRequestBodyInCheck",
];
const HTTP = [
  ...SAME,
  "pathPrefix",
  "includeRequestHeadersInCheck",
  "includeAdditionalHeadersInCheck",
  "headersToUpstreamOnAllow",
  "headersToDownstreamOnAllow",
  "headersToDownstreamOnDeny",
];
/** Istio's is 10 min, longer than any caller waits. */
const DEFAULT_TIMEOUT_MS = 5_000;
const MAX_TIMEOUT_MS = 600_000;
const MAX_BODY_BYTES = 1_048_576;
const MAX_PROVIDERS = 32;
const HEADER_NAME = /^[-_A-Za-z0-9]{1,256}$/;

export function parseProviders(spec: Field): readonly AuthorizationProvider[] {
  const field = member(spec, "extensionProviders");
  if (!field) return [];
  const providers = listOf(spec, "extensionProviders", parseProvider);
  if (providers.length > MAX_PROVIDERS) refuse(field, `at most ${MAX_PROVIDERS} providers`);
  const names = providers.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) refuse(field, `names ${twice} twice`);
  return providers;
}

/** What providers that were understood are written to do and do not. */
export function providerWarnings(providers: readonly AuthorizationProvider[]): readonly Reason[] {
  return providers.flatMap(({ body, protocol }, i) => {
    const isHttp = protocol.kind === "http";
    const path = `spec.extensionProviders[${i}].${isHttp ? "envoyExtAuthzHttp" : "envoyExtAuthzGrpc"}`;
    const message = "is not done:";
    return [
      ...(body
        ? [
            {
              field: `${path}.includeRequestBodyInCheck`,
              message: `${message} it is asked without bodies`,
            },
          ]
        : []),
      ...(isHttp && protocol.downstreamHeadersOnAllow.length > 0
        ? [
            {
              field: `${path}.headersToDownstreamOnAllow`,
              message: `${message} answers stay as they come`,
            },
          ]
        : []),
    ];
  });
}

function parseProvider(field: Field): AuthorizationProvider | undefined {
  if (!isObjectOf(field, ["name", "envoyExtAuthzGrpc", "envoyExtAuthzHttp"])) return undefined;
  const nameField = member(field, "name");
  const name = nameField ? providerName(nameField) : refuse(field, "name must be given");
  const grpc = member(field, "envoyExtAuthzGrpc");
  const http = member(field, "envoyExtAuthzHttp");
  if (grpc && http) return refuse(field, "has one of envoyExtAuthzGrpc and envoyExtAuthzHttp");
  if (grpc) return isObjectOf(grpc, SAME) ? read(grpc, name ?? "", { kind: "grpc" }) : undefined;
  if (http) return isObjectOf(http, HTTP) ? read(http, name ?? "", readHttp(http)) : undefined;
  return refuse(field, "must have envoyExtAuthzGrpc or envoyExtAuthzHttp");
}

function providerName(field: Field): string | undefined {
  const value = text(field);
  if (value === undefined || /^[\x21-\x7e]{1,253}$/.test(value)) return value;
  return refuse(field, "must be a name without spaces");
}

function read(
  field: Field,
  name: string,
  protocol: GrpcAuthorizer | HttpAuthorizer,
): AuthorizationProvider {
  const body = member(field, "includeRequestBodyInCheck");
  const read = body && readBody(body);
  return {
    name,
    service: readService(field),
    port: readInteger(field, "port", [1, 65_535]) ?? missing(field, "port"),
    timeoutMs: readTimeout(field),
    failOpen: readFlag(field, "failOpen"),
    statusOnError: readStatus(field),
    ...(read ? { body: read } : {}),
    protocol,
  };
}

/** As `namespace/name`. */
function readService(parent: Field): string {
  const field = member(parent, "service");
  if (!field) missing(parent, "service");
  return (field && readServiceHost(field)) ?? "";
}

function missing(parent: Field, name: string): number {
  refuse({ ...parent, path: `${parent.path}.${name}` }, "must be given");
  return 0;
}

function readTimeout(parent: Field): number {
  const field = member(parent, "timeout");
  if (!field) return DEFAULT_TIMEOUT_MS;
  const ms = durationMs(field, 1) ?? DEFAULT_TIMEOUT_MS;
  if (ms > MAX_TIMEOUT_MS) refuse(field, "must be at most 10m");
  return ms;
}

/** Text in Istio's objects. */
function readStatus(parent: Field): number {
  const field = member(parent, "statusOnError");
  if (!field) return 403;
  const status = /^[2-5][0-9]{2}$/.test(String(field.value)) ? Number(field.value) : 0;
  if (status === 0) refuse(field, 'must be an HTTP status from "200" to "599"');
  return status;
}

function readBody(field: Field): BodyInCheck | undefined {
  if (!isObjectOf(field, ["maxRequestBytes", "allowPartialMessage", "packAsBytes"])) {
    return undefined;
  }
  return {
    maxBytes:
      readInteger(field, "maxRequestBytes", [1, MAX_BODY_BYTES]) ??
      missing(field, "maxRequestBytes"),
    allowPartial: readFlag(field, "allowPartialMessage"),
    packAsBytes: readFlag(field, "packAsBytes"),
  };
}

function readHttp(field: Field): HttpAuthorizer {
  const prefix = member(field, "pathPrefix");
  return {
    kind: "http",
    pathPrefix: (prefix && readPrefix(prefix)) ?? "",
    requestHeaders: listOf(field, "includeRequestHeadersInCheck", headerMatch),
    additionalHeaders: readAdditional(field),
    upstreamHeadersOnAllow: listOf(field, "headersToUpstreamOnAllow", headerMatch),
    downstreamHeadersOnAllow: listOf(field, "headersToDownstreamOnAllow", headerMatch),
    downstreamHeadersOnDeny: listOf(field, "headersToDownstreamOnDeny", headerMatch),
  };
}

function readPrefix(field: Field): string | undefined {
  const value = text(field);
  if (value === undefined || /^\/[^\s?#]{0,1023}$/.test(value)) return value;
  return refuse(field, "must begin with / and have no query");
}

function headerMatch(field: Field) {
  const { value } = field;
  return parseStringMatch(
    typeof value === "string" ? { ...field, value: value.toLowerCase() } : field,
  );
}

function readAdditional(parent: Field): HttpAuthorizer["additionalHeaders"] {
  const field = member(parent, "includeAdditionalHeadersInCheck");
  if (!field) return [];
  if (!isFields(field.value)) {
    refuse(field, "must be an object of headers");
    return [];
  }
  return Object.entries(field.value).flatMap(([name, value]) => {
    const at = { ...field, path: `${field.path}.${name}` };
    if (!HEADER_NAME.test(name)) refuse(at, "must be the name of a header");
    if (typeof value === "string" && /^[\x20-\x7e]{0,4096}$/.test(value)) {
      return [{ name: name.toLowerCase(), value }];
    }
    refuse(at, "must be the value of a header");
    return [];
  });
}

function readInteger(
  parent: Field,
  name: string,
  [least, most]: readonly [number, number],
): number | undefined {
  const field = member(parent, name);
  if (!field) return undefined;
  const { value } = field;
  const isIn =
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
  if (isIn) return value;
  refuse(field, `must be a whole number from ${least} to ${most}`);
  return least;
}

function readFlag(parent: Field, name: string): boolean {
  const field = member(parent, name);
  if (!field) return false;
  if (typeof field.value !== "boolean") refuse(field, "must be true or false");
  return field.value === true;
}
