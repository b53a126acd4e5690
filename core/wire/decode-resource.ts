/**
 * Protobuf resources as the model has them: a checked value or the reasons why not.
 *
 * Total: any valid protobuf gets an answer, nothing throws. The node proxy's control process and its
 * snapshot read through this, so what it returns may be used without another check.
 */
import type { Enrolment, Probe } from "../model/enrolment.ts";
import type { MtlsModes } from "../model/mtls-modes.ts";
import {
  type Resource,
  type ResourceBody,
  type ResourceRef,
  resourceName,
  UNREAD,
} from "../model/resource.ts";
import type { Revocation } from "../model/revocation.ts";
import type { TrustBundle } from "../model/trust-bundle.ts";
import { MAX_WEIGHT, type Workload } from "../model/workload.ts";
import { decodeExclusions } from "./decode-exclusions.ts";
import { decodeMeshSettings } from "./decode-mesh-settings.ts";
import { decodePolicy } from "./decode-policy.ts";
import { decodeRateLimits } from "./decode-rate-limits.ts";
import { decodeRequestAuthentication } from "./decode-request-authentication.ts";
import { decodeRoutes } from "./decode-routes.ts";
import { decodeService, decodeSlice } from "./decode-service.ts";
import { decodeTraffic } from "./decode-traffic.ts";
import { enumKeyOf, HTTP_VERSIONS, MTLS_MODES, RESOURCE_KINDS } from "./enum-table.ts";
import { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

/** `unread`: what of a policy, RequestAuthentication or routes this version could not read, so that it fails closed; absent where nothing. */
export type Decoded<T> =
  | { readonly kind: "decoded"; readonly value: T; readonly unread?: readonly string[] }
  | { readonly kind: "refused"; readonly reasons: readonly string[] };

/** A root certificate is a kilobyte or two. */
const MAX_ROOT_BYTES = 65_536;

export function decodeResource(resource: wire.Resource): Decoded<Resource> {
  const findings = new Findings();
  const name = findings.name("name", resource.name);
  const version = findings.name("version", resource.version);
  const { body: message } = resource;
  const unread: string[] = [];
  const body = isRuling(message)
    ? decodeRuling(name, message, unread)
    : decodeBody(name, message, findings);
  if (body !== undefined && resourceName(body) !== name)
    findings.add("name: not the name of its body");
  if (body === undefined || findings.reasons.length > 0) {
    return { kind: "refused", reasons: findings.reasons };
  }
  if (unread.length === 0) return { kind: "decoded", value: { name, version, body } };
  return { kind: "decoded", value: { name, version: version + UNREAD, body }, unread };
}

export function decodeRef(ref: wire.ResourceName): Decoded<ResourceRef> {
  const findings = new Findings();
  const name = findings.name("name", ref.name);
  const kind = enumKeyOf(RESOURCE_KINDS, ref.kind);
  if (kind === undefined) findings.add(`kind: ${ref.kind} is not known`);
  if (kind === undefined || findings.reasons.length > 0) {
    return { kind: "refused", reasons: findings.reasons };
  }
  return { kind: "decoded", value: { kind, name } };
}

/** What rules calls: of what it cannot read of these a node makes an invalid one, and refuses nothing. */
type Ruling = Extract<
  wire.Resource["body"],
  { readonly case: "policy" | "requestAuthentication" | "routes" }
>;

function isRuling(message: wire.Resource["body"]): message is Ruling {
  const { case: kind } = message;
  return kind === "policy" || kind === "requestAuthentication" || kind === "routes";
}

function decodeRuling(name: string, message: Ruling, unread: string[]): ResourceBody {
  switch (message.case) {
    case "policy": {
      const decoded = decodePolicy(name, message.value);
      unread.push(...decoded.unread);
      return { kind: "policy", value: decoded.policy };
    }
    case "requestAuthentication": {
      const decoded = decodeRequestAuthentication(name, message.value);
      unread.push(...decoded.unread);
      return { kind: "requestAuthentication", value: decoded.authentication };
    }
    case "routes": {
      const decoded = decodeRoutes(name, message.value);
      unread.push(...decoded.unread);
      return { kind: "routes", value: decoded.routes };
    }
  }
}

function decodeBody(
  name: string,
  body: Exclude<wire.Resource["body"], Ruling>,
  findings: Findings,
): ResourceBody | undefined {
  switch (body.case) {
    case "workload":
      return { kind: "workload", value: decodeWorkload(body.value, findings) };
    case "service":
      return { kind: "service", value: decodeService(body.value, findings) };
    case "endpointSlice":
      return { kind: "endpointSlice", value: decodeSlice(body.value, findings) };
    case "enrolment":
      return { kind: "enrolment", value: decodeEnrolment(body.value, findings) };
    case "bundle":
      return { kind: "bundle", value: decodeBundle(body.value, findings) };
    case "settings":
      return { kind: "settings", value: decodeMeshSettings(body.value, findings) };
    case "revocation":
      return { kind: "revocation", value: decodeRevocation(body.value, findings) };
    case "traffic":
      return { kind: "traffic", value: decodeTraffic(name, body.value, findings) };
    case undefined:
      findings.add("body: of no known kind");
      return undefined;
  }
}

function decodeWorkload(workload: wire.Workload, findings: Findings): Workload {
  return {
    uid: findings.name("uid", workload.uid),
    namespace: findings.name("namespace", workload.namespace),
    name: findings.name("name", workload.name),
    // Mirror pods of static pods have none; they have no identity and are never captured.
    serviceAccount: findings.optionalName("serviceAccount", workload.serviceAccount),
    node: findings.optionalName("node", workload.node),
    addresses: findings.ips("addresses", workload.addresses),
    tunnel: workload.tunnel,
    modes: decodeModes(workload.modes, findings),
    owner: findings.text("owner", workload.owner),
    weight: Math.max(1, findings.integer("weight", workload.weight, [0, MAX_WEIGHT])),
  };
}

function decodeModes(modes: wire.MtlsModes | undefined, findings: Findings): MtlsModes {
  if (modes === undefined) {
    findings.add("modes: missing");
    return { default: "STRICT", ports: [] };
  }
  return {
    default: findings.member("modes.default", MTLS_MODES, modes.default),
    ports: modes.ports.map(({ port, mode }) => ({
      port: findings.port("modes.ports.port", port),
      mode: findings.member("modes.ports.mode", MTLS_MODES, mode),
    })),
  };
}

function decodeEnrolment(enrolment: wire.Enrolment, findings: Findings): Enrolment {
  const { netnsPath } = enrolment;
  if (netnsPath !== "" && !netnsPath.startsWith("/")) findings.add("netnsPath: not absolute");
  return {
    uid: findings.name("uid", enrolment.uid),
    namespace: findings.name("namespace", enrolment.namespace),
    name: findings.name("name", enrolment.name),
    serviceAccount: findings.name("serviceAccount", enrolment.serviceAccount),
    addresses: findings.ips("addresses", enrolment.addresses),
    netnsPath: findings.text("netnsPath", netnsPath),
    policies: enrolment.policies.map((policy) => findings.name("policies", policy)),
    ...(enrolment.requestAuthentications.length === 0
      ? {}
      : {
          requestAuthentications: enrolment.requestAuthentications.map((ref) =>
            findings.name("requestAuthentications", ref),
          ),
        }),
    modes: decodeModes(enrolment.modes, findings),
    ...decodeHttpPorts(enrolment.httpPorts, findings),
    ...(enrolment.tlsPorts.length === 0
      ? {}
      : { tlsPorts: enrolment.tlsPorts.map((port) => findings.port("tlsPorts", port)) }),
    ...decodeRateLimits(enrolment.rateLimits, findings),
    probes: enrolment.probes.flatMap((probe) => decodeProbe(probe, findings)),
    nodeAddresses: findings.ips("nodeAddresses", enrolment.nodeAddresses),
    exclusions: decodeExclusions(enrolment.exclusions, findings),
    owner: findings.text("owner", enrolment.owner),
    zone: findings.optionalName("zone", enrolment.zone),
  };
}

function decodeHttpPorts(
  httpPorts: readonly wire.HttpPort[],
  findings: Findings,
): Pick<Enrolment, "httpPorts"> {
  if (httpPorts.length === 0) return {};
  return {
    httpPorts: httpPorts.map(({ port, version }) => ({
      port: findings.port("httpPorts.port", port),
      version: findings.member("httpPorts.version", HTTP_VERSIONS, version),
    })),
  };
}

/** One probe, or none where its kind is not known (which is a finding). */
function decodeProbe(probe: wire.Probe, findings: Findings): readonly Probe[] {
  const { timeoutMs, kind } = probe;
  const port = findings.port("probes.port", probe.port);
  switch (kind.case) {
    case "http": {
      const { https, path, headers } = kind.value;
      return [
        {
          kind: "http",
          port,
          timeoutMs,
          scheme: https ? "HTTPS" : "HTTP",
          path: findings.text("probes.path", path),
          headers: headers.map(({ name, value }) => ({
            name: findings.name("probes.headers.name", name),
            value: findings.text("probes.headers.value", value),
          })),
        },
      ];
    }
    case "tcp":
      return [{ kind: "tcp", port, timeoutMs }];
    case "grpc": {
      const service = findings.text("probes.service", kind.value.service);
      return [{ kind: "grpc", port, timeoutMs, service }];
    }
    case undefined:
      findings.add("probes: of no known kind");
      return [];
  }
}

function decodeBundle(bundle: wire.Bundle, findings: Findings): TrustBundle {
  const { roots } = bundle;
  if (roots.length === 0) findings.add("roots: none");
  for (const root of roots) findings.integer("roots.length", root.length, [1, MAX_ROOT_BYTES]);
  return {
    trustDomain: findings.trustDomain("trustDomain", bundle.trustDomain),
    roots,
    issuer: findings.optionalName("issuer", bundle.issuer),
    retired: bundle.retired.map((each) => findings.name("retired", each)),
  };
}

function decodeRevocation({ node, serials }: wire.Revocation, findings: Findings): Revocation {
  return {
    node: findings.name("node", node),
    serials: serials.map((serial) => findings.name("serials", serial)),
  };
}
