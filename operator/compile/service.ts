/** A Service as node proxies balance over it: what only the operator needs (the selector) is left behind. */
import type { Service } from "../../core/model/service.ts";
import type { Service as ServiceResource } from "../resources/service.ts";

export function compileService(service: ServiceResource): Service {
  const { selector: _selector, targets: _targets, declared: _declared, ...rest } = service;
  return rest;
}
