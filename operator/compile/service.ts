/** A Service as node proxies balance over it: what only the operator needs (the selector) is left behind. */
import type { Service, ServicePort } from "../../core/model/service.ts";
import type { Service as ServiceResource } from "../resources/service.ts";
import { httpVersionOf } from "./http-ports.ts";

export function compileService(service: ServiceResource): Service {
  const { selector: _selector, targets: _targets, declared: _declared, ...rest } = service;
  return { ...rest, ports: rest.ports.map(compilePort) };
}

/** HTTP for callers only where something asks for it, and never by what the first bytes look like. */
function compilePort(port: ServicePort): ServicePort {
  const http = httpVersionOf(port.appProtocol);
  return http ? { ...port, http } : port;
}
