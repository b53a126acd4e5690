/** Services and their EndpointSlices from protobuf; what an older operator does not say has its default. */
import type { Endpoint, EndpointSlice, Service } from "../model/service.ts";
import { BALANCE_ALGORITHMS, HTTP_VERSIONS, TRAFFIC_DISTRIBUTIONS } from "./enum-table.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

export function decodeService(service: wire.Service, findings: Findings): Service {
  return {
    namespace: findings.name("namespace", service.namespace),
    name: findings.name("name", service.name),
    addresses: findings.ips("addresses", service.addresses),
    ports: service.ports.map(({ port, name, appProtocol, http }) => ({
      port: findings.port("ports.port", port),
      name: findings.optionalName("ports.name", name),
      appProtocol: findings.text("ports.appProtocol", appProtocol),
      ...(http === 0 ? {} : { http: findings.member("ports.http", HTTP_VERSIONS, http) }),
    })),
    algorithm: findings.member("algorithm", BALANCE_ALGORITHMS, service.algorithm),
    localOnly: service.localOnly,
    distribution: findings.member("distribution", TRAFFIC_DISTRIBUTIONS, service.distribution),
    affinitySeconds: service.affinitySeconds,
  };
}

export function decodeSlice(slice: wire.EndpointSlice, findings: Findings): EndpointSlice {
  return {
    namespace: findings.name("namespace", slice.namespace),
    name: findings.name("name", slice.name),
    service: findings.name("service", slice.service),
    ports: slice.ports.map(({ name, port }) => ({
      name: findings.optionalName("ports.name", name),
      port: findings.port("ports.port", port),
    })),
    endpoints: slice.endpoints.map((endpoint) => decodeEndpoint(endpoint, findings)),
  };
}

function decodeEndpoint(endpoint: wire.Endpoint, findings: Findings): Endpoint {
  return {
    address: findings.ip("endpoints.address", endpoint.address),
    workload: findings.optionalName("endpoints.workload", endpoint.workload),
    node: findings.optionalName("endpoints.node", endpoint.node),
    ready: endpoint.ready,
    draining: endpoint.draining,
    zone: findings.optionalName("endpoints.zone", endpoint.zone),
    forZones: endpoint.forZones.map((zone) => findings.name("endpoints.forZones", zone)),
    forNodes: endpoint.forNodes.map((node) => findings.name("endpoints.forNodes", node)),
  };
}
