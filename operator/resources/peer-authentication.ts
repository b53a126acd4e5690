/** Reads a PeerAuthentication, and says what is wrong with it and where. `compile/peer-authentication.ts` applies it. */
import type { MtlsMode } from "../../core/model/mtls-modes.ts";
import {
  type Field,
  isFields,
  isObjectOf,
  member,
  oneOf,
  type Reason,
  refuse,
  rootField,
} from "./fields.ts";
import { type Envelope, type PolicyMetadata, parseEnvelope } from "./policy-metadata.ts";
import { parseSelector, type WorkloadScope } from "./workload-scope.ts";

/** UNSET inherits from the next wider scope. */
export type PeerMode = MtlsMode | "UNSET";

export interface PeerAuthentication {
  readonly metadata: PolicyMetadata;
  readonly scope: Exclude<WorkloadScope, { readonly kind: "services" }>;
  /** It may be about any workload of its namespace, whatever `scope` says. */
  readonly isScopeUnread?: boolean;
  readonly mode: PeerMode;
  /** By the workload's own ports, ascending. */
  readonly ports: readonly { readonly port: number; readonly mode: PeerMode }[];
}

export type ParsedPeerAuthentication =
  | {
      readonly kind: "accepted";
      readonly value: PeerAuthentication;
      readonly warnings: readonly Reason[];
    }
  | {
      readonly kind: "refused";
      readonly reasons: readonly Reason[];
      /** What it counts as while it is there all the same: STRICT for all that it selects (fail closed). */
      readonly present?: PeerAuthentication;
    };

const MODES = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"] as const;

export function parsePeerAuthentication(object: unknown): ParsedPeerAuthentication {
  const reasons: Reason[] = [];
  const envelope = parseEnvelope(rootField(object, reasons), {
    kind: "PeerAuthentication",
    namespaced: true,
  });
  if (!envelope) return { kind: "refused", reasons };
  const { isScopeUnread, ...value } = read(envelope, reasons);
  if (reasons.length === 0) return { kind: "accepted", value, warnings: [] };
  return {
    kind: "refused",
    reasons,
    present: { ...value, isScopeUnread, mode: "STRICT", ports: [] },
  };
}

function read(
  { metadata, spec }: Envelope,
  reasons: Reason[],
): PeerAuthentication & { readonly isScopeUnread: boolean } {
  const before = reasons.length;
  const field = spec ?? { value: {}, path: "spec", reasons };
  isObjectOf(field, ["selector", "mtls", "portLevelMtls"]);
  const selector = member(field, "selector");
  const scope = selector ? parseSelector(selector) : { kind: "namespace" as const };
  const mtls = member(field, "mtls");
  const portLevel = member(field, "portLevelMtls");
  if (portLevel && scope.kind === "namespace") {
    refuse(portLevel, "needs a selector with labels");
  }
  const isScopeUnread = reasons.length > before;
  return {
    metadata,
    scope: scope.kind === "services" ? { kind: "namespace" } : scope,
    isScopeUnread,
    mode: mtls ? readMode(mtls) : "UNSET",
    ports: portLevel ? readPorts(portLevel) : [],
  };
}

function readMode(mtls: Field): PeerMode {
  if (!isObjectOf(mtls, ["mode"])) return "UNSET";
  const mode = member(mtls, "mode");
  return mode ? (oneOf(mode, MODES) ?? "UNSET") : "UNSET";
}

function readPorts(field: Field): PeerAuthentication["ports"] {
  if (!isFields(field.value)) {
    refuse(field, "must be an object of ports");
    return [];
  }
  const entries = Object.entries(field.value);
  if (entries.length === 0) refuse(field, "must not be empty: leave the field out instead");
  return entries
    .map(([key, value]) => {
      const at = { ...field, value, path: `${field.path}.${key}` };
      const port = /^[1-9][0-9]{0,4}$/.test(key) ? Number(key) : 0;
      if (port < 1 || port > 65535) refuse(at, "must be a port from 1 to 65535");
      return { port, mode: readMode(at) };
    })
    .toSorted((a, b) => a.port - b.port);
}
