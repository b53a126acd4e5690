/**
 * What the control process answers by HTTP: its admin endpoint on loopback, with what this node holds and does, for
 * people and tests; metrics; readiness.
 *
 * Never shows a key or a token.
 */
import { X509Certificate } from "node:crypto";
import type { CaptureReport } from "../core/model/node-report.ts";
import type { Resource } from "../core/model/resource.ts";
import { type AdminRoute, AdminServer, healthRoutes, jsonAnswer } from "../core/process/admin.ts";
import type { Log } from "../core/process/log.ts";
import type { Readiness } from "../core/process/readiness.ts";
import type { OpenConnection, ServedLeaf } from "./channel/messages.ts";
import type { NodeProxyConfig } from "./config.ts";
import { type WhyView, whyRoutes } from "./why-routes.ts";

export interface ControlView extends WhyView {
  readonly captures: () => readonly CaptureReport[];
  readonly leaves: () => readonly ServedLeaf[];
  readonly renewLeaves: () => void;
  readonly connections: () => readonly OpenConnection[];
  readonly metrics: AdminRoute;
  readonly readiness: Readiness;
  readonly log: Log;
}

/** Resolves once all listen. */
export async function openControlServers(
  { adminListen, metricsListen, readyListen }: NodeProxyConfig,
  view: ControlView,
): Promise<readonly AdminServer[]> {
  const places = [
    { address: adminListen, routes: controlRoutes(view), actions: controlActions(view) },
    { address: metricsListen, routes: { "/metrics": view.metrics }, actions: {} },
    { address: readyListen, routes: healthRoutes(view.readiness), actions: {} },
  ];
  const servers: AdminServer[] = [];
  for (const { address, routes, actions } of places) {
    const server = new AdminServer({ routes, actions, log: view.log });
    await server.listen(address);
    servers.push(server);
  }
  return servers;
}

function controlRoutes(view: ControlView): Readonly<Record<string, AdminRoute>> {
  return {
    "/captures": () => jsonAnswer({ captures: view.captures() }),
    "/certificates": () => jsonAnswer({ certificates: view.leaves().map(describeLeaf) }),
    "/connections": () => jsonAnswer({ connections: view.connections() }),
    "/snapshot": () => jsonAnswer({ resources: view.resources().map(describeResource) }),
    ...whyRoutes(view),
  };
}

function controlActions(view: ControlView): Readonly<Record<string, AdminRoute>> {
  return {
    "/certificates/renew": () => {
      view.renewLeaves();
      return jsonAnswer({ renewing: view.leaves().length });
    },
  };
}

/** Without the key. */
function describeLeaf({ identity, chainPem }: ServedLeaf): object {
  const leaf = new X509Certificate(chainPem);
  return {
    identity,
    serial: leaf.serialNumber,
    notBefore: new Date(leaf.validFrom).toISOString(),
    notAfter: new Date(leaf.validTo).toISOString(),
    chainPem,
  };
}

/** Roots as base64: JSON has no bytes. */
function describeResource({ name, version, body }: Resource): object {
  if (body.kind !== "bundle") return { kind: body.kind, name, version, value: body.value };
  const roots = body.value.roots.map((root) => Buffer.from(root).toString("base64"));
  return { kind: body.kind, name, version, value: { ...body.value, roots } };
}
