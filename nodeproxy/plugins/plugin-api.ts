/**
 * What a plugin is: the types that its author copies or imports. Types only, so that importing them leaves nothing behind.
 *
 * A plugin is one ES module of TypeScript with erasable syntax that exports `create`, and a `schema` if it likes.
 */

/** As JSON holds it. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/** The module. `export const schema` and `export function create`. */
export interface PluginModule<Config extends Json = Json> {
  /** JSON Schema, draft 2020-12: what `config` of a TrafficPolicy must be. Absent: anything. */
  readonly schema?: { readonly [keyword: string]: Json } | boolean;
  /** Once for each configuration, which agrees with `schema` then. */
  create(config: Config): Plugin;
}

/** What one configuration made. It sees one request at a time, in the order in which they came. */
export interface Plugin {
  /** Before the request is routed. Returns nothing to leave it as it is. */
  onRequest?(request: PluginRequest): Awaitable<RequestChange | Answer | undefined>;
}

type Awaitable<Value> = Value | Promise<Value>;

/** Names in lower case, in order of arrival; a name may come more than once. */
export type PluginFields = readonly (readonly [name: string, value: string])[];

export interface PluginRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** With its "?", or "". */
  readonly query: string;
  /** `host` or `host:port`. */
  readonly authority: string;
  readonly fields: PluginFields;
  readonly source: {
    /** Of the calling pod. */
    readonly workload: string;
    readonly namespace: string;
    /** `spiffe://…`; "" where it has none. */
    readonly identity: string;
  };
  /** `namespace/name` of the Service that was called. */
  readonly service: string;
  readonly port: number;
}

/** Each name once: `remove` first, then `set`, then `add`. */
export interface FieldChange {
  readonly set?: { readonly [name: string]: string };
  readonly add?: { readonly [name: string]: string };
  readonly remove?: readonly string[];
}

export interface RequestChange {
  readonly fields?: FieldChange;
  /** With the query, if there is to be one: "/a?b=c". */
  readonly path?: string;
  readonly authority?: string;
}

/** In place of the server's: it never hears of the request. */
export interface Answer {
  readonly answer: {
    /** 200 to 599, and neither 204, 205 nor 304. */
    readonly status: number;
    readonly fields?: { readonly [name: string]: string };
    /** At most 64 KiB in UTF-8. */
    readonly body?: string;
  };
}
