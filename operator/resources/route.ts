/**
 * What HTTPRoute and GRPCRoute have in common once they are read: which Services they are attached to, and their
 * rules. References are names here still; `compile/service-routes.ts` finds what they lead to.
 */
import type {
  MirrorFilter,
  RouteFilter,
  RouteMatch,
  RouteRetry,
  RouteRule,
  RouteSession,
} from "../../core/model/http-route.ts";
import type { Field, Fields, Reason } from "./fields.ts";
import { isFields, rootField } from "./fields.ts";
import { entriesOf } from "./gateway-fields.ts";
import type { KubeObject } from "./kube-object.ts";
import { asList, asPort, asRecord, asText } from "./narrow.ts";

export const GATEWAY_GROUP = "gateway.networking.k8s.io";

export type RouteKind = RouteRule["kind"];

export interface Route {
  readonly kind: RouteKind;
  readonly namespace: string;
  readonly name: string;
  /** 0 where the source gives none: older than everything. */
  readonly createdMs: number;
  /** Those that are Services: others are other controllers' business. */
  readonly parents: readonly RouteParent[];
  readonly rules: readonly RuleReading[];
  readonly warnings: readonly Reason[];
}

export interface RouteParent {
  readonly namespace: string;
  readonly name: string;
  /** 0: it names none. */
  readonly port: number;
  /** A port's name; "": it names none. */
  readonly sectionName: string;
  /** As it was written, for its status. */
  readonly written: Fields;
}

export type RuleReading =
  | { readonly kind: "read"; readonly value: RuleSpec }
  | {
      readonly kind: "unread";
      readonly rule: string;
      /** Those that could be read: what they match gets 500 and goes nowhere else. */
      readonly matches: readonly RankedMatch[];
      /** As the conditions of the Gateway API name it. */
      readonly reason: "UnsupportedValue" | "IncompatibleFilters";
      readonly reasons: readonly Reason[];
    };

export interface RuleSpec {
  /** Its name, or its index. */
  readonly rule: string;
  readonly matches: readonly RankedMatch[];
  readonly filters: readonly FilterSpec[];
  readonly backends: readonly BackendSpec[];
  readonly requestTimeoutMs: number;
  readonly backendTimeoutMs: number;
  readonly retry: RouteRetry | undefined;
  readonly session: RouteSession | undefined;
}

export interface RankedMatch {
  readonly match: RouteMatch;
  /** Compared number by number, the larger first; of one length for all routes of a kind. */
  readonly rank: readonly number[];
}

export type FilterSpec =
  | Exclude<RouteFilter, MirrorFilter>
  | (Omit<MirrorFilter, "to"> & { readonly target: BackendTarget })
  /** "If a reference to a custom filter type cannot be resolved, the filter MUST NOT be skipped." We have none. */
  | { readonly kind: "extension"; readonly field: string; readonly what: string };

export interface BackendSpec {
  readonly target: BackendTarget;
  readonly weight: number;
  readonly filters: readonly FilterSpec[];
}

export type BackendTarget =
  | {
      readonly kind: "service";
      /** Where it is written. */
      readonly field: string;
      readonly namespace: string;
      readonly name: string;
      readonly port: number;
    }
  | { readonly kind: "unsupported"; readonly field: string; readonly what: string };

/** How the rules of one kind are read. */
export type ReadRule = (rule: Field, place: RulePlace) => RuleReading;

export interface RulePlace {
  readonly namespace: string;
  /** For what is made up of a rule and must be its own. */
  readonly route: string;
  /** The rule's name, or its index. */
  readonly rule: string;
}

export function readRoute(
  { kind, metadata, spec }: KubeObject & { readonly kind: RouteKind },
  readRule: ReadRule,
): Route {
  const { namespace, name, creationTimestamp } = metadata;
  const reasons: Reason[] = [];
  const field = { ...rootField(spec, reasons), path: "spec" };
  const createdMs = Date.parse(creationTimestamp);
  // "kubebuilder:default": a route without rules has one that matches everything.
  const written = entriesOf(field, "rules");
  const rules = written.length > 0 ? written : [{ value: {}, path: "spec.rules[0]", reasons }];
  return {
    kind,
    namespace,
    name,
    createdMs: Number.isNaN(createdMs) ? 0 : createdMs,
    parents: readParents(spec, namespace),
    rules: rules.map((rule, i) => {
      const own = isFields(rule.value) ? asText(rule.value["name"]) : undefined;
      const place = { namespace, route: `${namespace}/${name}`, rule: own ?? String(i) };
      return readRule({ ...rule, reasons: [] }, place);
    }),
    warnings: hostnameWarnings(spec),
  };
}

// Group and kind are those of a Gateway where they are absent.
function readParents(spec: unknown, namespace: string): readonly RouteParent[] {
  return (asList(asRecord(spec)?.["parentRefs"]) ?? []).flatMap((entry) => {
    const written = asRecord(entry);
    const name = asText(written?.["name"]);
    const isService = written?.["group"] === "" && written["kind"] === "Service";
    if (!isService || name === undefined) return [];
    return [
      {
        namespace: asText(written["namespace"]) ?? namespace,
        name,
        port: asPort(written["port"]) ?? 0,
        sectionName: asText(written["sectionName"]) ?? "",
        written,
      },
    ];
  });
}

// GEP-1294: "GAMMA implementations SHOULD NOT infer any functionality from the hostnames field on xRoutes".
function hostnameWarnings(spec: unknown): readonly Reason[] {
  const hostnames = asList(asRecord(spec)?.["hostnames"]) ?? [];
  if (hostnames.length === 0) return [];
  const message = "does not count for Services; match the header Host instead";
  return [{ field: "spec.hostnames", message }];
}
