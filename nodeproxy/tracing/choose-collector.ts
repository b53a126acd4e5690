/** Where is the collector now? An endpoint of its Service as the mesh sees it, or the host outside. Pure. */
import type { TracingSettings } from "../../core/model/mesh-settings.ts";
import type { EndpointSlice, Service } from "../../core/model/service.ts";
import { usableEndpoints } from "../balance/usable-endpoints.ts";

/** `state/current.ts` has it. */
export interface CollectorView {
  service(ref: string): Service | undefined;
  slicesOf(service: Service): readonly EndpointSlice[];
}

export interface CollectorAddress {
  /** Of an endpoint its address; outside of the mesh maybe a name. */
  readonly host: string;
  readonly port: number;
}

/** `draw`: in [0, 1). A text says why there is none. */
export function chooseCollector(
  view: CollectorView,
  { service: ref, port }: TracingSettings,
  { draw, node }: { readonly draw: () => number; readonly node: string },
): CollectorAddress | string {
  if (!ref.includes("/")) return { host: ref, port };
  const service = view.service(ref);
  const named = service?.ports.find((entry) => entry.port === port);
  if (!service || !named) return `there is no Service ${ref} with port ${port}`;
  const { localOnly, distribution } = service;
  const place = { node, zone: "", localOnly, distribution, failover: [] };
  // As kube-proxy: of the nearest alone, until these are not ready any more.
  const [endpoints = []] = usableEndpoints(view.slicesOf(service), named.name, place);
  const chosen = endpoints[Math.floor(draw() * endpoints.length)];
  if (!chosen) return `Service ${ref} has no endpoint that is ready`;
  return { host: chosen.endpoint.address, port: chosen.port };
}
