/** Reads MeshConfig, the one object `default` of the cluster, and fills in what it leaves out. */
import type { MeshSettings, OutboundPolicy } from "../../core/model/mesh-settings.ts";
import { parseProviders, providerWarnings } from "./authorization-provider.ts";
import {
  type Field,
  isObjectOf,
  listOf,
  member,
  oneOf,
  type Reason,
  refuse,
  rootField,
  text,
} from "./fields.ts";
import { readMeshServices } from "./mesh-services.ts";
import { type PluginDeclaration, readPlugins } from "./plugins.ts";
import { type Envelope, type PolicyMetadata, parseEnvelope } from "./policy-metadata.ts";
import { parseTrustDomain } from "./trust-domain.ts";

export interface MeshConfig {
  readonly metadata: PolicyMetadata;
  readonly settings: MeshSettings;
  /** Who signs the mesh's intermediate; `undefined`: the operator itself, under its own root. */
  readonly issuerRef: IssuerRef | undefined;
  /** Their code is elsewhere. */
  readonly plugins: readonly PluginDeclaration[];
}

/** As in cert-manager's objects. */
export interface IssuerRef {
  readonly name: string;
  readonly kind: string;
  readonly group: string;
}

export type ParsedMeshConfig =
  | { readonly kind: "accepted"; readonly value: MeshConfig; readonly warnings: readonly Reason[] }
  | { readonly kind: "refused"; readonly reasons: readonly Reason[] };

/** Policies here apply to the whole mesh. Fixed: the setting exists so that the object can say it. */
export const ROOT_NAMESPACE = "weft-system";

export const DEFAULT_MESH_SETTINGS: MeshSettings = {
  trustDomain: "cluster.local",
  trustDomainAliases: [],
  leafLifetimeSeconds: 24 * 3600,
  accessLog: true,
  outboundPolicy: "ALLOW_ANY",
};

/** Istio's spelling (`meshConfig.outboundTrafficPolicy.mode`) is taken too. */
const OUTBOUND_POLICIES: Readonly<Record<string, OutboundPolicy>> = {
  allowAny: "ALLOW_ANY",
  registryOnly: "REGISTRY_ONLY",
  ALLOW_ANY: "ALLOW_ANY",
  REGISTRY_ONLY: "REGISTRY_ONLY",
};

const CERT_MANAGER_GROUP = "cert-manager.io";
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const KIND = /^[A-Z][A-Za-z0-9]{0,62}$/;
const MIN_LIFETIME_S = 60;
const MAX_LIFETIME_S = 30 * 24 * 3600;
const MAX_ALIASES = 16;
const MAX_PROXIES = 64;

export function parseMeshConfig(object: unknown): ParsedMeshConfig {
  const reasons: Reason[] = [];
  const envelope = parseEnvelope(rootField(object, reasons), {
    kind: "MeshConfig",
    namespaced: false,
  });
  if (!envelope) return { kind: "refused", reasons };
  if (envelope.metadata.name !== "default") {
    reasons.push({ field: "metadata.name", message: "must be default: there is one MeshConfig" });
  }
  const value = read(envelope, reasons);
  return reasons.length > 0
    ? { kind: "refused", reasons }
    : {
        kind: "accepted",
        value,
        warnings: providerWarnings(value.settings.authorizationProviders ?? []),
      };
}

function read({ metadata, spec }: Envelope, reasons: Reason[]): MeshConfig {
  const field = spec ?? { value: {}, path: "spec", reasons };
  isObjectOf(field, [
    "trustDomain",
    "trustDomainAliases",
    "certificates",
    "accessLog",
    "outboundPolicy",
    "rootNamespace",
    "extensionProviders",
    "jwks",
    "gatewayTopology",
    "telemetry",
    "rateLimitService",
    "plugins",
  ]);
  const defaults = DEFAULT_MESH_SETTINGS;
  const trustDomain = member(field, "trustDomain");
  const rootNamespace = member(field, "rootNamespace");
  if (rootNamespace) oneOf(rootNamespace, [ROOT_NAMESPACE]);
  const aliases = listOf(field, "trustDomainAliases", parseTrustDomain);
  if (aliases.length > MAX_ALIASES) {
    reasons.push({ field: "spec.trustDomainAliases", message: `at most ${MAX_ALIASES} aliases` });
  }
  const certificates = readCertificates(field);
  return {
    metadata,
    issuerRef: certificates && readIssuerRef(certificates),
    plugins: readPlugins(field),
    settings: {
      trustDomain: (trustDomain && parseTrustDomain(trustDomain)) ?? defaults.trustDomain,
      trustDomainAliases: aliases,
      leafLifetimeSeconds:
        (certificates && readLifetime(certificates)) ?? defaults.leafLifetimeSeconds,
      accessLog: readEnabled(field) ?? defaults.accessLog,
      outboundPolicy: readOutboundPolicy(field) ?? defaults.outboundPolicy,
      ...readAuthorizers(field),
      ...readTopology(field),
      ...readMeshServices(field),
    },
  };
}

function readAuthorizers(spec: Field): Pick<MeshSettings, "authorizationProviders" | "localJwks"> {
  const providers = parseProviders(spec);
  return {
    ...(readLocalJwks(spec) ? { localJwks: true } : {}),
    ...(providers.length === 0 ? {} : { authorizationProviders: providers }),
  };
}

/** Istio's `meshConfig.defaultConfig.gatewayTopology`. */
function readTopology(spec: Field): Pick<MeshSettings, "trustedProxies"> {
  const topology = member(spec, "gatewayTopology");
  if (!topology || !isObjectOf(topology, ["numTrustedProxies"])) return {};
  const field = member(topology, "numTrustedProxies");
  const count = field?.value;
  if (!field || count === 0) return {};
  const isCount = typeof count === "number" && Number.isInteger(count);
  if (isCount && count > 0 && count <= MAX_PROXIES) return { trustedProxies: count };
  refuse(field, `must be a whole number from 0 to ${MAX_PROXIES}`);
  return {};
}

function readLocalJwks(spec: Field): boolean {
  const jwks = member(spec, "jwks");
  if (!jwks || !isObjectOf(jwks, ["allowLocalAddresses"])) return false;
  const field = member(jwks, "allowLocalAddresses");
  if (field && typeof field.value !== "boolean") refuse(field, "must be true or false");
  return field?.value === true;
}

function readOutboundPolicy(spec: Field): OutboundPolicy | undefined {
  const field = member(spec, "outboundPolicy");
  const written = field && oneOf(field, Object.keys(OUTBOUND_POLICIES));
  return written === undefined ? undefined : OUTBOUND_POLICIES[written];
}

function readCertificates(spec: Field): Field | undefined {
  const field = member(spec, "certificates");
  return field && isObjectOf(field, ["leafLifetime", "issuerRef"]) ? field : undefined;
}

function readIssuerRef(certificates: Field): IssuerRef | undefined {
  const field = member(certificates, "issuerRef");
  if (!field || !isObjectOf(field, ["name", "kind", "group"])) return undefined;
  const nameField = member(field, "name");
  if (!nameField) return refuse({ ...field, path: `${field.path}.name` }, "must be given");
  const name = matching(nameField, SUBDOMAIN, "must be the name of an issuer");
  const groupField = member(field, "group");
  const group = groupField
    ? matching(groupField, SUBDOMAIN, "must be an API group")
    : CERT_MANAGER_GROUP;
  const kindField = member(field, "kind");
  const kind = kindField ? readIssuerKind(kindField, group) : "Issuer";
  return name === undefined || group === undefined || kind === undefined
    ? undefined
    : { name, kind, group };
}

/** Issuers of other groups than cert-manager's own have kinds of their own. */
function readIssuerKind(field: Field, group: string | undefined): string | undefined {
  return group === CERT_MANAGER_GROUP
    ? oneOf(field, ["Issuer", "ClusterIssuer"])
    : matching(field, KIND, "must be a kind");
}

function matching(field: Field, pattern: RegExp, message: string): string | undefined {
  const value = text(field);
  if (value === undefined || pattern.test(value)) return value;
  return refuse(field, message);
}

function readLifetime(certificates: Field): number | undefined {
  const field = member(certificates, "leafLifetime");
  if (!field) return undefined;
  const value = text(field);
  if (value === undefined) return undefined;
  const seconds = durationSeconds(value);
  if (seconds === undefined) return refuse(field, 'must be a duration such as "24h" or "1h30m"');
  const isInRange = seconds >= MIN_LIFETIME_S && seconds <= MAX_LIFETIME_S;
  return isInRange ? seconds : refuse(field, "must be from 1m to 720h (30 days)");
}

function readEnabled(spec: Field): boolean | undefined {
  const accessLog = member(spec, "accessLog");
  if (!accessLog || !isObjectOf(accessLog, ["enabled"])) return undefined;
  const enabled = member(accessLog, "enabled");
  if (!enabled) return undefined;
  return typeof enabled.value === "boolean"
    ? enabled.value
    : refuse(enabled, "must be true or false");
}

/** Go's durations in whole hours, minutes and seconds: "1h30m", "90s". */
function durationSeconds(value: string): number | undefined {
  const match = /^(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?$/.exec(value);
  if (!match || value === "") return undefined;
  const [, h, m, s] = match;
  return Number(h ?? 0) * 3600 + Number(m ?? 0) * 60 + Number(s ?? 0);
}
