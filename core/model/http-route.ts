/**
 * How requests to a Service are routed: HTTPRoutes and GRPCRoutes of the Gateway API with the Service as parent, as the
 * operator compiled them and as the nodes of callers apply them. The order of rules is decided here already.
 */

export interface ServiceRoutes {
  /** `namespace/name`; the resource's name too. */
  readonly service: string;
  readonly tables: readonly RouteTable[];
}

export interface RouteTable {
  /** Of the Service. A route whose parentRef names no port is in the table of each HTTP port. */
  readonly port: number;
  /** "": for every caller (producer routes). A namespace: for the callers there, whose table replaces the producers' (consumer routes). */
  readonly consumer: string;
  /** In order of precedence (Gateway API): the first that matches rules. Where none matches: 404. */
  readonly rules: readonly RouteRule[];
}

/** A rule with several matches is several of these. */
export interface RouteRule {
  readonly kind: "HTTPRoute" | "GRPCRoute";
  /** `namespace/name` of the route. */
  readonly route: string;
  /** The rule's name, or its index. */
  readonly rule: string;
  readonly match: RouteMatch;
  readonly filters: readonly RouteFilter[];
  /** Empty and no redirect: 500. */
  readonly backends: readonly RouteBackend[];
  /** 0: none. The whole request, and each try. */
  readonly requestTimeoutMs: number;
  readonly backendTimeoutMs: number;
  readonly retry: RouteRetry | undefined;
  readonly session: RouteSession | undefined;
}

/** All of them must match. */
export interface RouteMatch {
  readonly path: PathMatch;
  /** Names in lower case. */
  readonly headers: readonly NamedMatch[];
  readonly query: readonly NamedMatch[];
  /** "": any. */
  readonly method: string;
}

/** Expressions are RE2's and match the whole text. */
export interface TextMatch {
  readonly kind: "exact" | "regex";
  readonly value: string;
}

/** `prefix`: by elements between slashes; without a trailing "/", "" for all paths. */
export type PathMatch = TextMatch | { readonly kind: "prefix"; readonly value: string };

export interface NamedMatch {
  readonly name: string;
  readonly value: TextMatch;
}

export type RouteFilter =
  | HeaderChange
  | RedirectFilter
  | { readonly kind: "rewrite"; readonly hostname: string; readonly path: PathChange | undefined }
  | MirrorFilter
  | CorsFilter;

export interface HeaderChange {
  readonly kind: "requestHeaders" | "responseHeaders";
  readonly set: readonly NameValue[];
  readonly add: readonly NameValue[];
  readonly remove: readonly string[];
}

/** "" is that of the request. */
export interface RedirectFilter {
  readonly kind: "redirect";
  readonly scheme: string;
  readonly hostname: string;
  /** 0: by the scheme, else that of the request */
  readonly port: number;
  readonly path: PathChange | undefined;
  readonly status: number;
}

/** Of `denominator` requests `numerator` are sent there too; their answers are not waited for. */
export interface MirrorFilter {
  readonly kind: "mirror";
  readonly to: BackendRef | undefined;
  readonly numerator: number;
  readonly denominator: number;
}

export interface CorsFilter {
  readonly kind: "cors";
  readonly origins: readonly string[];
  readonly credentials: boolean;
  readonly methods: readonly string[];
  readonly requestHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number;
}

export type NameValue = readonly [name: string, value: string];

/** `prefix`: in place of the prefix that the rule matched. */
export interface PathChange {
  readonly kind: "full" | "prefix";
  readonly value: string;
}

export interface RouteBackend {
  /** `undefined`: a reference that does not resolve; its share of the requests gets 500. */
  readonly to: BackendRef | undefined;
  readonly weight: number;
  readonly filters: readonly RouteFilter[];
}

export interface BackendRef {
  /** `namespace/name` of a Service */
  readonly service: string;
  readonly port: number;
}

export interface RouteRetry {
  readonly codes: readonly number[];
  /** Beside the first. */
  readonly attempts: number;
  readonly backoffMs: number;
}

/** 0 as a timeout: none. */
export interface RouteSession {
  readonly kind: "cookie" | "header";
  readonly name: string;
  readonly absoluteTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** The cookie outlives the browser, until the absolute timeout. */
  readonly isPermanent: boolean;
}
