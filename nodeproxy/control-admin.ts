/**
 * The control process's admin endpoint, on loopback: what this node holds and does, for people and tests.
 *
 * Never shows a key or a token.
 */
import { X509Certificate } from "node:crypto";
import type { CaptureReport } from "../core/model/node-report.ts";
import type { Resource } from "../core/model/resource.ts";
import { type AdminRoute, jsonAnswer } from "../core/process/admin.ts";
import type { OpenConnection, ServedLeaf } from "./channel/messages.ts";

export interface ControlView {
  readonly captures: () => readonly CaptureReport[];
  readonly leaves: () => readonly ServedLeaf[];
  readonly renewLeaves: () => void;
  readonly connections: () => readonly OpenConnection[];
  readonly resources: () => readonly Resource[];
}

export function controlRoutes(view: ControlView): Readonly<Record<string, AdminRoute>> {
  return {
    "/captures": () => jsonAnswer({ captures: view.captures() }),
    "/certificates": () => jsonAnswer({ certificates: view.leaves().map(describeLeaf) }),
    "/connections": () => jsonAnswer({ connections: view.connections() }),
    "/snapshot": () => jsonAnswer({ resources: view.resources().map(describeResource) }),
  };
}

export function controlActions(view: ControlView): Readonly<Record<string, AdminRoute>> {
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
