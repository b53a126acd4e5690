/** Resources as protobuf. Total: every value of the model has a form on the wire. */
import { create } from "@bufbuild/protobuf";
import type { Enrolment, Probe } from "../model/enrolment.ts";
import type { MeshSettings } from "../model/mesh-settings.ts";
import type { MtlsModes } from "../model/mtls-modes.ts";
import type { Resource, ResourceBody, ResourceRef } from "../model/resource.ts";
import { encodeCidr } from "./cidr.ts";
import { encodePolicy } from "./encode-policy.ts";
import { encodeProvider } from "./encode-provider.ts";
import { encodeRateLimit } from "./encode-rate-limit.ts";
import { encodeRequestAuthentication } from "./encode-request-authentication.ts";
import { encodeRoutes } from "./encode-routes.ts";
import { encodeService, encodeSlice, encodeTraffic } from "./encode-service.ts";
import { HTTP_VERSIONS, MTLS_MODES, OUTBOUND_POLICIES, RESOURCE_KINDS } from "./enum-table.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

export function encodeResource(resource: Resource): wire.Resource {
  const { name, version } = resource;
  return create(wire.ResourceSchema, { name, version, body: encodeBody(resource.body) });
}

export function encodeRef({ kind, name }: ResourceRef): wire.ResourceName {
  return create(wire.ResourceNameSchema, { kind: RESOURCE_KINDS[kind], name });
}

function encodeBody(body: ResourceBody): wire.Resource["body"] {
  switch (body.kind) {
    case "workload": {
      const { modes, addresses, ...rest } = body.value;
      const init = { ...rest, addresses: [...addresses], modes: encodeModes(modes) };
      return { case: "workload", value: create(wire.WorkloadSchema, init) };
    }
    case "service":
      return { case: "service", value: encodeService(body.value) };
    case "endpointSlice":
      return { case: "endpointSlice", value: encodeSlice(body.value) };
    case "enrolment":
      return { case: "enrolment", value: encodeEnrolment(body.value) };
    case "policy":
      return { case: "policy", value: encodePolicy(body.value) };
    case "bundle": {
      const { trustDomain, roots, issuer, retired } = body.value;
      const init = { trustDomain, roots: [...roots], issuer, retired: [...retired] };
      return { case: "bundle", value: create(wire.BundleSchema, init) };
    }
    case "settings":
      return { case: "settings", value: encodeSettings(body.value) };
    case "traffic":
      return { case: "traffic", value: encodeTraffic(body.value) };
    case "requestAuthentication":
      return {
        case: "requestAuthentication",
        value: encodeRequestAuthentication(body.value),
      };
    case "routes":
      return { case: "routes", value: encodeRoutes(body.value) };
    case "revocation": {
      const { node, serials } = body.value;
      const init = { node, serials: [...serials] };
      return { case: "revocation", value: create(wire.RevocationSchema, init) };
    }
  }
}

function encodeSettings(settings: MeshSettings): wire.Settings {
  const { trustDomainAliases, outboundPolicy, localJwks, authorizationProviders } = settings;
  const { tracing, rateLimitService, plugins = [] } = settings;
  return create(wire.SettingsSchema, {
    trustDomain: settings.trustDomain,
    leafLifetimeSeconds: settings.leafLifetimeSeconds,
    accessLog: settings.accessLog,
    trustedProxies: settings.trustedProxies ?? 0,
    trustDomainAliases: [...trustDomainAliases],
    outboundPolicy: OUTBOUND_POLICIES[outboundPolicy],
    localJwks: localJwks ?? false,
    authorizationProviders: authorizationProviders?.map(encodeProvider) ?? [],
    ...(tracing && { tracing: create(wire.TracingSchema, tracing) }),
    ...(rateLimitService && {
      rateLimitService: create(wire.RateLimitServiceSchema, rateLimitService),
    }),
    plugins: plugins.map((plugin) => create(wire.PluginSchema, plugin)),
  });
}

function encodeModes(modes: MtlsModes): wire.MtlsModes {
  return create(wire.MtlsModesSchema, {
    default: MTLS_MODES[modes.default],
    ports: modes.ports.map(({ port, mode }) => ({ port, mode: MTLS_MODES[mode] })),
  });
}

function encodeEnrolment(enrolment: Enrolment): wire.Enrolment {
  const { uid, namespace, name, serviceAccount, netnsPath, owner, exclusions, zone } = enrolment;
  return create(wire.EnrolmentSchema, {
    uid,
    namespace,
    name,
    serviceAccount,
    netnsPath,
    owner,
    zone,
    addresses: [...enrolment.addresses],
    policies: [...enrolment.policies],
    requestAuthentications: [...(enrolment.requestAuthentications ?? [])],
    modes: encodeModes(enrolment.modes),
    httpPorts:
      enrolment.httpPorts?.map(({ port, version }) => ({
        port,
        version: HTTP_VERSIONS[version],
      })) ?? [],
    tlsPorts: [...(enrolment.tlsPorts ?? [])],
    rateLimits: enrolment.rateLimits?.map(encodeRateLimit) ?? [],
    probes: enrolment.probes.map(encodeProbe),
    nodeAddresses: [...enrolment.nodeAddresses],
    exclusions: create(wire.CaptureExclusionsSchema, {
      inboundPorts: [...exclusions.inboundPorts],
      outboundPorts: [...exclusions.outboundPorts],
      outboundBlocks: exclusions.outboundBlocks.map(encodeCidr),
      dnsAddresses: [...exclusions.dnsAddresses],
    }),
  });
}

function encodeProbe(probe: Probe): wire.Probe {
  const { port, timeoutMs } = probe;
  return create(wire.ProbeSchema, { port, timeoutMs, kind: encodeProbeKind(probe) });
}

function encodeProbeKind(probe: Probe): wire.Probe["kind"] {
  switch (probe.kind) {
    case "http": {
      const headers = probe.headers.map((header) => create(wire.HttpHeaderSchema, header));
      const init = { https: probe.scheme === "HTTPS", path: probe.path, headers };
      return { case: "http", value: create(wire.HttpProbeSchema, init) };
    }
    case "tcp":
      return { case: "tcp", value: create(wire.TcpProbeSchema) };
    case "grpc":
      return { case: "grpc", value: create(wire.GrpcProbeSchema, { service: probe.service }) };
  }
}
