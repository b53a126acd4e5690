/** A Service as node proxies balance over it: what only the operator needs (the selector) is left behind. */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { Service, ServicePort } from "../../core/model/service.ts";
import type { Service as ServiceResource } from "../resources/service.ts";
import { httpVersionOf } from "./http-ports.ts";

/** `asked`: what routes and TrafficPolicies make of ports that declare nothing. */
export function compileService(
  service: ServiceResource,
  asked: ReadonlyMap<number, HttpVersion> = new Map(),
): Service {
  const { selector: _selector, targets: _targets, declared: _declared, ...rest } = service;
  return { ...rest, ports: rest.ports.map((port) => compilePort(port, asked)) };
}

/** HTTP for callers only where something asks for it, and never by what the first bytes look like. */
function compilePort(port: ServicePort, asked: ReadonlyMap<number, HttpVersion>): ServicePort {
  const http = httpVersionOf(port.appProtocol) ?? asked.get(port.port);
  return http ? { ...port, http } : port;
}
