/** An EndpointSlice: which addresses stand behind a Service, and which of them may be chosen. */
import { canonicalIp } from "../../core/model/ip.ts";
import type { Endpoint, EndpointSlice } from "../../core/model/service.ts";
import type { KubeObject } from "./kube-object.ts";
import { asPort, asRecord, asText, type RawRecord, recordsOf } from "./narrow.ts";

const SERVICE_LABEL = "kubernetes.io/service-name";

/** `undefined` for a slice of no service, and for names instead of addresses (`addressType: FQDN`). */
export function parseEndpointSlice(object: KubeObject): EndpointSlice | undefined {
  const service = asText(object.metadata.labels[SERVICE_LABEL]);
  if (service === undefined || object["addressType"] === "FQDN") return undefined;
  return {
    namespace: object.metadata.namespace,
    name: object.metadata.name,
    service,
    ports: recordsOf(object["ports"]).flatMap((port) => parsePort(port)),
    endpoints: recordsOf(object["endpoints"]).flatMap((endpoint) => parseEndpoint(endpoint)),
  };
}

function parsePort(raw: RawRecord): readonly { readonly name: string; readonly port: number }[] {
  const port = asPort(raw["port"]);
  if (port === undefined || (raw["protocol"] ?? "TCP") !== "TCP") return [];
  return [{ name: asText(raw["name"]) ?? "", port }];
}

function parseEndpoint(raw: RawRecord): readonly Endpoint[] {
  // discovery/v1: the addresses of one endpoint are fungible, and consumers use the first.
  const first: unknown = Array.isArray(raw["addresses"]) ? raw["addresses"][0] : undefined;
  const address = typeof first === "string" ? canonicalIp(first) : undefined;
  if (address === undefined) return [];
  const target = asRecord(raw["targetRef"]);
  const hints = asRecord(raw["hints"]) ?? {};
  return [
    {
      address,
      workload: target?.["kind"] === "Pod" ? (asText(target["uid"]) ?? "") : "",
      node: asText(raw["nodeName"]) ?? "",
      ...readConditions(asRecord(raw["conditions"]) ?? {}),
      zone: asText(raw["zone"]) ?? "",
      forZones: namesOf(hints["forZones"]),
      forNodes: namesOf(hints["forNodes"]),
    },
  ];
}

// discovery/v1: a nil `ready` "should be interpreted as 'true'", a nil `serving` as `ready`, a nil `terminating` as false.
function readConditions(raw: RawRecord): Pick<Endpoint, "ready" | "draining"> {
  const serving = (raw["serving"] ?? raw["ready"]) !== false;
  return { ready: raw["ready"] !== false, draining: serving && raw["terminating"] === true };
}

function namesOf(value: unknown): readonly string[] {
  return recordsOf(value).flatMap(({ name }) => asText(name) ?? []);
}
