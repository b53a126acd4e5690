/**
 * Reads the objects that weftctl looks at from the Kubernetes API, as checked narrow values.
 *
 * An absent kind (the mesh is not installed) is an empty list, never an error.
 */
import type { KubeApi } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";

/** The part of any object that weftctl reads; what is not there is empty. */
export interface ClusterObject {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly creationTimestamp?: string;
    readonly generation?: number;
    readonly resourceVersion?: string;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

const PAGE = "500";

/** Every object under the path, page by page; empty where the kind or the namespace does not exist. */
export async function listObjects(api: KubeApi, path: string): Promise<readonly ClusterObject[]> {
  const objects: ClusterObject[] = [];
  let next = "";
  do {
    const query = { limit: PAGE, ...(next === "" ? {} : { continue: next }) };
    const page = (await found(api.call({ method: "GET", path, query }))) as ListPage | undefined;
    objects.push(...(page?.items ?? []));
    next = page?.metadata?.continue ?? "";
  } while (next !== "");
  return objects;
}

interface ListPage {
  readonly items?: readonly ClusterObject[];
  readonly metadata?: { readonly continue?: string };
}

export async function getObject(api: KubeApi, path: string): Promise<ClusterObject | undefined> {
  return (await found(api.call({ method: "GET", path }))) as ClusterObject | undefined;
}

/** The answer, or `undefined` where there is no such object. */
export async function found(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof KubeError && error.reason === "not_found") return undefined;
    throw error;
  }
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

export function conditionsOf(object: ClusterObject): readonly Condition[] {
  return (object.status?.["conditions"] ?? []) as readonly Condition[];
}
