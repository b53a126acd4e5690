/** Services, their EndpointSlices and TrafficPolicies as protobuf. */
import { create } from "@bufbuild/protobuf";
import type { BalanceAlgorithm, EndpointSlice, Service } from "../model/service.ts";
import type { Traffic } from "../model/traffic-settings.ts";
import { encodeHttpSettings } from "./encode-http-settings.ts";
import { BALANCE_ALGORITHMS, HTTP_VERSIONS, TRAFFIC_DISTRIBUTIONS } from "./enum-table.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

export function encodeService(service: Service): wire.Service {
  const { namespace, name, localOnly, affinitySeconds } = service;
  return create(wire.ServiceSchema, {
    namespace,
    name,
    localOnly,
    affinitySeconds,
    addresses: [...service.addresses],
    ports: service.ports.map(({ http, ...port }) =>
      create(wire.ServicePortSchema, { ...port, ...(http ? { http: HTTP_VERSIONS[http] } : {}) }),
    ),
    algorithm: BALANCE_ALGORITHMS[service.algorithm],
    distribution: TRAFFIC_DISTRIBUTIONS[service.distribution],
  });
}

export function encodeSlice(slice: EndpointSlice): wire.EndpointSlice {
  const { namespace, name, service } = slice;
  return create(wire.EndpointSliceSchema, {
    namespace,
    name,
    service,
    ports: slice.ports.map((port) => create(wire.EndpointPortSchema, port)),
    endpoints: slice.endpoints.map(({ forZones, forNodes, ...rest }) =>
      create(wire.EndpointSchema, {
        ...rest,
        forZones: [...forZones],
        forNodes: [...forNodes],
      }),
    ),
  });
}

export function encodeTraffic({ services, algorithm, settings }: Traffic): wire.Traffic {
  const { limits, outliers, tcpCheck, http, ...rest } = settings;
  return create(wire.TrafficSchema, {
    ...rest,
    ...limits,
    services: [...services],
    ...(algorithm && encodeAlgorithm(algorithm)),
    ...(outliers ? { outliers: create(wire.OutliersSchema, outliers) } : {}),
    ...(tcpCheck ? { tcpCheck: create(wire.TcpCheckSchema, tcpCheck) } : {}),
    http: encodeHttpSettings(http),
  });
}

/** Node proxies from before balancing by requests refuse its algorithms: they get the nearest that they know. */
function encodeAlgorithm(
  algorithm: BalanceAlgorithm,
): Pick<wire.Traffic, "algorithm"> & Partial<Pick<wire.Traffic, "requestAlgorithm">> {
  if (algorithm !== "least_request" && algorithm !== "peak_ewma") {
    return { algorithm: BALANCE_ALGORITHMS[algorithm] };
  }
  return {
    algorithm: BALANCE_ALGORITHMS.least_connections,
    requestAlgorithm: BALANCE_ALGORITHMS[algorithm],
  };
}
