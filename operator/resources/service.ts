/**
 * A Service as far as the mesh balances over it or a policy selects by it.
 *
 * Ports other than TCP are left out: the mesh does not touch them, and a DNS service has port 53 twice.
 */
import type {
  BalanceAlgorithm,
  ServicePort,
  TrafficDistribution,
} from "../../core/model/service.ts";
import { canonicalAddresses } from "./addresses.ts";
import type { KubeObject } from "./kube-object.ts";
import { asList, asPort, asRecord, asText, asTexts, type RawRecord, recordsOf } from "./narrow.ts";

export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Where its ports lead, as far as they say a number: a name is each pod's own matter. */
  readonly targets: readonly PortPair[];
  /** The same with names, and what is said to be spoken there. */
  readonly declared: readonly DeclaredTarget[];
  readonly algorithm: BalanceAlgorithm;
  readonly localOnly: boolean;
  readonly distribution: TrafficDistribution;
  readonly affinitySeconds: number;
  /** `undefined`: no selector, so it picks no pod (its slices are made by hand). */
  readonly selector: Readonly<Record<string, string>> | undefined;
}

export interface DeclaredPort {
  /** The workload's, or the name of a port of its containers. */
  readonly target: number | string;
  /** "" where nothing is declared. */
  readonly appProtocol: string;
}

export interface DeclaredTarget extends DeclaredPort {
  /** The Service's. */
  readonly port: number;
}

/** A Service's port with the workload's port behind it. */
export interface PortPair {
  readonly port: number;
  readonly targetPort: number;
}

const BALANCE_ANNOTATION = "weft.dev/balance";

/** `undefined` for a Service that the mesh has nothing to do with (`ExternalName`). */
export function parseService({ metadata, spec }: KubeObject): Service | undefined {
  const raw = asRecord(spec) ?? {};
  if (raw["type"] === "ExternalName") return undefined;
  const selector = asTexts(raw["selector"]);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    // "None" (headless) and "" (not assigned yet) are no addresses, so they fall out.
    addresses: canonicalAddresses(asList(raw["clusterIPs"]) ?? [raw["clusterIP"]]),
    ports: recordsOf(raw["ports"]).flatMap((port) => parsePort(port)),
    targets: recordsOf(raw["ports"]).flatMap((port) => parseTarget(port)),
    declared: recordsOf(raw["ports"]).flatMap((port) => parseDeclared(port)),
    algorithm: parseAlgorithm(metadata.annotations[BALANCE_ANNOTATION]),
    localOnly: raw["internalTrafficPolicy"] === "Local",
    distribution: parseDistribution(raw["trafficDistribution"]),
    affinitySeconds: parseAffinity(raw),
    selector: selector && Object.keys(selector).length > 0 ? selector : undefined,
  };
}

function parsePort(raw: Readonly<Record<string, unknown>>): readonly ServicePort[] {
  const port = asPort(raw["port"]);
  if (port === undefined || (raw["protocol"] ?? "TCP") !== "TCP") return [];
  return [{ port, name: asText(raw["name"]) ?? "", appProtocol: asText(raw["appProtocol"]) ?? "" }];
}

function parseTarget(raw: Readonly<Record<string, unknown>>): readonly PortPair[] {
  const port = asPort(raw["port"]);
  // core/v1 ServicePort.targetPort: "If this is not specified, the value of the 'port' field is used".
  const targetPort = asPort(raw["targetPort"] ?? port);
  return port === undefined || targetPort === undefined ? [] : [{ port, targetPort }];
}

function parseDeclared(raw: RawRecord): readonly DeclaredTarget[] {
  const port = asPort(raw["port"]);
  const target = raw["targetPort"] ?? port;
  const known = typeof target === "string" && target !== "" ? target : asPort(target);
  if (port === undefined || known === undefined || (raw["protocol"] ?? "TCP") !== "TCP") return [];
  return [{ port, target: known, appProtocol: asText(raw["appProtocol"]) ?? "" }];
}

/** An annotation with a typing error must not stop a service, so it means the default. */
function parseAlgorithm(text: string | undefined): BalanceAlgorithm {
  return text === "random" || text === "least_connections" ? text : "round_robin";
}

// core/v1: "PreferSameZone … PreferClose … is an alias"; a value that is not known has no effect.
function parseDistribution(value: unknown): TrafficDistribution {
  if (value === "PreferSameNode") return "same_node";
  return value === "PreferClose" || value === "PreferSameZone" ? "same_zone" : "anywhere";
}

// core/v1 ClientIPConfig.timeoutSeconds: "must be >0 && <=86400(for 1 day) … Default value is 10800(for 3 hours)."
function parseAffinity(raw: RawRecord): number {
  if (raw["sessionAffinity"] !== "ClientIP") return 0;
  const config = asRecord(asRecord(raw["sessionAffinityConfig"])?.["clientIP"]);
  const seconds = config?.["timeoutSeconds"];
  const isValid = typeof seconds === "number" && Number.isInteger(seconds) && seconds > 0;
  return isValid ? Math.min(seconds, 86_400) : 10_800;
}
