/**
 * To which ports of a Service does a route's parentRef attach it?
 *
 * A port that it names is HTTP from then on, unless it declares another protocol. One that names none is for every port
 * that declares HTTP; only where none does is it for every port that declares nothing: a database beside must not break.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { ServicePort } from "../../core/model/service.ts";
import type { RouteKind, RouteParent } from "../resources/route.ts";
import type { Service } from "../resources/service.ts";
import { httpVersionOf } from "./http-ports.ts";

export type PortAttachment =
  | { readonly kind: "attached"; readonly ports: readonly number[] }
  /** Reason `NoMatchingParent` of the Gateway API. */
  | { readonly kind: "refused"; readonly message: string };

export function attachRoute(
  kind: RouteKind,
  parent: RouteParent,
  service: Service | undefined,
): PortAttachment {
  const place = `Service ${parent.namespace}/${parent.name}`;
  if (!service) return refused(`there is no ${place} with addresses of its own`);
  // GEP-1294: "Headless Services SHOULD NOT be supported as a parentRef".
  if (service.addresses.length === 0) return refused(`${place} has no cluster IP`);
  const isNamed = parent.port > 0 || parent.sectionName !== "";
  const meant = service.ports.filter(({ port, name }) => {
    const isPort = parent.port === 0 || port === parent.port;
    return isPort && (parent.sectionName === "" || name === parent.sectionName);
  });
  if (meant.length === 0) return refused(`${place} has no such TCP port`);
  const ports = isNamed ? meant : unnamed(meant);
  const fitting = ports.filter((port) => speaks(kind, port));
  if (fitting.length > 0) return { kind: "attached", ports: fitting.map(({ port }) => port) };
  const protocol = kind === "GRPCRoute" ? "HTTP/2" : "HTTP";
  return refused(`no port of ${place} that is meant speaks ${protocol} by its appProtocol`);
}

/** What a route makes of a port that declares nothing. */
export function versionOf(kind: RouteKind): HttpVersion {
  return kind === "GRPCRoute" ? "http2" : "http1";
}

function unnamed(ports: readonly ServicePort[]): readonly ServicePort[] {
  const declared = ports.filter(({ appProtocol }) => httpVersionOf(appProtocol) !== undefined);
  return declared.length > 0 ? declared : ports;
}

function speaks(kind: RouteKind, { appProtocol }: ServicePort): boolean {
  if (appProtocol === "") return true;
  const version = httpVersionOf(appProtocol);
  return kind === "GRPCRoute" ? version === "http2" : version !== undefined;
}

function refused(message: string): PortAttachment {
  return { kind: "refused", message };
}
