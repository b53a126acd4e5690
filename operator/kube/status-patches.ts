/**
 * The writes of status: conditions of our own kinds, what we say of routes, a pod's `weft.dev/Captured`,
 * NodeReport objects, Events. Each touches only what is ours, so nobody else's write is lost whoever comes first.
 */

import { type KubeApi, kubePath } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import { FIELD_MANAGER } from "./config-objects.ts";

const APPLY = { fieldManager: FIELD_MANAGER, force: "true" };

export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  /** Lower case, as in API paths. */
  readonly plural: string;
  /** "" for an object of the cluster. */
  readonly namespace: string;
  readonly name: string;
  /** A new object of the same name is not the one that was judged. "" for any. */
  readonly uid: string;
}

export interface StatusCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

/** Server-side apply on the status subresource: what is not in it any more goes, if it was ours. */
export async function applyStatus(api: KubeApi, object: ObjectRef, status: object): Promise<void> {
  const { apiVersion, kind } = object;
  await api.call({
    method: "PATCH",
    path: `${objectPath(object)}/status`,
    patch: "apply",
    query: APPLY,
    body: { apiVersion, kind, metadata: metadataOf(object), status },
  });
}

export interface ReadVersion {
  /** Of the object that `status` was made of: "conflict" where it is another by now. */
  readonly resourceVersion: string;
}

/** For a list that others write to as well and that merges by nothing: what it was read from has to stand still. */
export async function replaceInStatus(
  api: KubeApi,
  { resourceVersion, ...object }: ObjectRef & ReadVersion,
  status: object,
): Promise<void> {
  await api.call({
    method: "PATCH",
    path: `${objectPath(object)}/status`,
    patch: "merge",
    query: { fieldManager: FIELD_MANAGER },
    body: { metadata: { uid: object.uid, resourceVersion }, status },
  });
}

/** Strategic merge: a pod's conditions merge by type, and other writers' stay. */
export async function patchPodCondition(
  api: KubeApi,
  pod: Pick<ObjectRef, "namespace" | "name" | "uid">,
  condition: StatusCondition,
): Promise<void> {
  await api.call({
    method: "PATCH",
    path: `${kubePath("api", "v1", "namespaces", pod.namespace, "pods", pod.name)}/status`,
    patch: "strategic",
    body: { metadata: { uid: pod.uid }, status: { conditions: [condition] } },
  });
}

/** One object a node. Without its Node as owner: the certificates that it names outlive the Node. */
export async function applyNodeReport(api: KubeApi, node: string, status: object): Promise<void> {
  await api.call({
    method: "PATCH",
    path: nodeReportPath(node),
    patch: "apply",
    query: APPLY,
    body: {
      apiVersion: "weft.dev/v1",
      kind: "NodeReport",
      metadata: { name: node },
      status,
    },
  });
}

/** Some fields of its status, the others stay. */
export async function patchNodeReport(api: KubeApi, node: string, status: object): Promise<void> {
  await api.call({
    method: "PATCH",
    path: nodeReportPath(node),
    patch: "merge",
    query: { fieldManager: FIELD_MANAGER },
    body: { status },
  });
}

/** Gone already: nothing happens. */
export async function deleteNodeReport(api: KubeApi, node: string): Promise<void> {
  try {
    await api.call({ method: "DELETE", path: nodeReportPath(node) });
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === "not_found")) throw error;
  }
}

function nodeReportPath(node: string): string {
  return kubePath("apis", "weft.dev", "v1", "nodereports", node);
}

export interface ObjectEvent {
  readonly type: "Normal" | "Warning";
  /** CamelCase, stable. */
  readonly reason: string;
  readonly message: string;
  /** Of the Event itself, where it is to be there once however often it is told; else one is made. */
  readonly name?: string;
}

/** For `kubectl describe`. "already_exists" where an Event of that name is there. */
export async function createEvent(
  api: KubeApi,
  { apiVersion, kind, namespace, name, uid }: Omit<ObjectRef, "plural">,
  { type, reason, message, name: eventName }: ObjectEvent,
): Promise<void> {
  const time = new Date().toISOString();
  // Events about objects of the cluster live here.
  const place = namespace === "" ? "default" : namespace;
  const involvedObject = { apiVersion, kind, ...metadataOf({ namespace, name, uid }) };
  await api.call({
    method: "POST",
    path: kubePath("api", "v1", "namespaces", place, "events"),
    body: {
      apiVersion: "v1",
      kind: "Event",
      metadata: {
        namespace: place,
        ...(eventName === undefined ? { generateName: "weft-" } : { name: eventName }),
      },
      involvedObject,
      source: { component: "weft-operator" },
      type,
      reason,
      message: message.slice(0, 1024),
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    },
  });
}

function metadataOf({
  namespace,
  name,
  uid,
}: Pick<ObjectRef, "namespace" | "name" | "uid">): object {
  return { name, ...(namespace === "" ? {} : { namespace }), ...(uid === "" ? {} : { uid }) };
}

function objectPath({ apiVersion, namespace, plural, name }: ObjectRef): string {
  const group = apiVersion.includes("/") ? ["apis", ...apiVersion.split("/")] : ["api", apiVersion];
  const scope = namespace === "" ? [] : ["namespaces", namespace];
  return kubePath(...group, ...scope, plural, name);
}
