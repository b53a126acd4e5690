/**
 * Which ports of a Service are HTTP for callers because a TrafficPolicy has the section `http`?
 *
 * As with a route's parentRef: a port that it names, unless that declares another protocol. Where it names none and no port
 * declares HTTP, every port that declares nothing; else none but those that are HTTP anyway: a database beside must not break.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { HttpSection } from "../resources/http-section.ts";
import type { Service } from "../resources/service.ts";
import { httpVersionOf } from "./http-ports.ts";

/** Never one that declares anything. */
export function askedHttp(
  { ports: named }: HttpSection,
  { ports }: Service,
): ReadonlyMap<number, HttpVersion> {
  const isDeclared = ports.some(({ appProtocol }) => httpVersionOf(appProtocol) !== undefined);
  if (named.length === 0 && isDeclared) return new Map();
  const asked = ports.filter(({ port, appProtocol }) => {
    return appProtocol === "" && (named.length === 0 || named.includes(port));
  });
  return new Map(asked.map(({ port }) => [port, "http1"]));
}

/** Why named ports are not HTTP for callers, each as a message. */
export function unfitPorts({ ports: named }: HttpSection, service: Service): readonly string[] {
  return named.flatMap((wanted) => {
    const port = service.ports.find((each) => each.port === wanted);
    if (!port) return [`Service ${service.name} has no TCP port ${wanted}`];
    const { appProtocol } = port;
    if (appProtocol === "" || httpVersionOf(appProtocol) !== undefined) return [];
    return [
      `port ${wanted} of Service ${service.name} declares ${appProtocol}, so it stays opaque`,
    ];
  });
}
