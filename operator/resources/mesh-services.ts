/** Reads what MeshConfig says of the services that node proxies ask or tell: `telemetry.tracing` and `rateLimitService`. */

import { canonicalIp } from "../../core/model/ip.ts";
import type {
  MeshSettings,
  RateLimitServiceSettings,
  TracingSettings,
} from "../../core/model/mesh-settings.ts";
import { durationMs } from "./duration.ts";
import { type Field, member, refuse, text } from "./fields.ts";
import { missing } from "./gateway-fields.ts";
import { integerMember, objectMember } from "./members.ts";
import { readServiceHost, readServiceReference } from "./service-reference.ts";
import { partsPerMillion } from "./share.ts";

/** Istio's `randomSamplingPercentage` by default: 1 %. */
const DEFAULT_SAMPLING = 10_000;
/** Envoy's default for the service: 20 ms. It is asked in the way of each request. */
const DEFAULT_TIMEOUT_MS = 20;
const MAX_TIMEOUT_MS = 600_000;
const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_]([-A-Za-z0-9_]{0,62}\.?)*$/;

export function readMeshServices(spec: Field): Pick<MeshSettings, "tracing" | "rateLimitService"> {
  const telemetry = objectMember(spec, "telemetry", ["tracing"]);
  const tracing = telemetry && readTracing(telemetry);
  const rateLimitService = readRateLimitService(spec);
  return { ...(tracing && { tracing }), ...(rateLimitService && { rateLimitService }) };
}

function readTracing(telemetry: Field): TracingSettings | undefined {
  const field = objectMember(telemetry, "tracing", ["endpoint", "samplingPercent"]);
  if (!field) return undefined;
  const sampling = member(field, "samplingPercent");
  const endpoint = member(field, "endpoint");
  if (!endpoint) return refuse(missing(field, "endpoint"), "must be given");
  const place = readEndpoint(endpoint);
  const share = sampling ? partsPerMillion(sampling) : DEFAULT_SAMPLING;
  return place && { ...place, partsPerMillion: share };
}

/** `namespace/name:port`, or a host and its port; a host that is a Service's name in DNS is that Service. */
function readEndpoint(field: Field): Pick<TracingSettings, "service" | "port"> | undefined {
  const value = text(field);
  if (value === undefined) return undefined;
  const [, host = "", digits = ""] = /^(.+):(\d{1,5})$/.exec(value) ?? [];
  const port = Number(digits);
  if (port < 1 || port > 65_535) {
    return refuse(field, "must be HOST:PORT or NAMESPACE/SERVICE:PORT");
  }
  const service = readHost({ ...field, value: host });
  return service === undefined ? undefined : { service, port };
}

function readHost(field: Field): string | undefined {
  const host = String(field.value);
  if (host.includes("/")) return readServiceReference(field);
  if (/\.svc(\.|$)/.test(host)) return readServiceHost(field);
  const inBrackets = /^\[(.+)\]$/.exec(host)?.[1];
  const address = canonicalIp(inBrackets ?? host);
  if (address !== undefined) return address;
  return inBrackets === undefined && HOST_NAME.test(host)
    ? host
    : refuse(field, "must be HOST:PORT or NAMESPACE/SERVICE:PORT");
}

function readRateLimitService(spec: Field): RateLimitServiceSettings | undefined {
  const known = ["service", "port", "timeout", "failOpen", "domain"];
  const field = objectMember(spec, "rateLimitService", known);
  if (!field) return undefined;
  const service = member(field, "service");
  const domain = member(field, "domain");
  const failOpen = member(field, "failOpen");
  for (const name of ["service", "port", "domain"]) {
    if (!member(field, name)) refuse(missing(field, name), "must be given");
  }
  if (failOpen && typeof failOpen.value !== "boolean") refuse(failOpen, "must be true or false");
  return {
    service: (service && readServiceReference(service)) ?? "",
    port: integerMember(field, "port", [1, 65_535]) ?? 0,
    timeoutMs: readTimeout(field),
    failOpen: failOpen?.value === true,
    domain: (domain && readDomain(domain)) ?? "",
  };
}

function readTimeout(parent: Field): number {
  const field = member(parent, "timeout");
  const ms = field && durationMs(field, 1);
  if (field && ms !== undefined && ms > MAX_TIMEOUT_MS) refuse(field, "must be at most 10m");
  return ms ?? DEFAULT_TIMEOUT_MS;
}

function readDomain(field: Field): string | undefined {
  const value = text(field);
  if (value === undefined || /^[\x21-\x7e]{1,253}$/.test(value)) return value;
  return refuse(field, "must be a name without spaces");
}
