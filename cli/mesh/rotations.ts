/**
 * The calls of `ca rotate` to the API: reads CARotations, asks for one, waives nodes, turns one back.
 *
 * Writes nothing but `spec`: the status is the operator's. What a person can mend throws `RotationError`.
 */
import { type KubeApi, type KubeCall, kubePath } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import { type ClusterObject, listObjects } from "./cluster-objects.ts";

const COLLECTION = kubePath("apis", "weft.dev", "v1", "carotations");
/** Of two who waive at once each may be overtaken by each. */
const MAX_ATTEMPTS = 5;

export type RotationErrorReason = "kind_missing" | "forbidden";

/** Its message says what a person has to do. */
export class RotationError extends Error {
  override readonly name = "RotationError";
  readonly reason: RotationErrorReason;

  constructor(reason: RotationErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Of all authorities, also those that are over. */
export async function listRotations(api: KubeApi): Promise<readonly ClusterObject[]> {
  // The list of a kind that is not there would be empty.
  await explained("list", api.call({ method: "GET", path: COLLECTION, query: { limit: "1" } }));
  return listObjects(api, COLLECTION);
}

/** `undefined` where somebody has deleted it. */
export async function readRotation(api: KubeApi, name: string): Promise<ClusterObject | undefined> {
  try {
    return (await call(api, { method: "GET", path: pathOf(name) })) as ClusterObject;
  } catch (error) {
    if (error instanceof RotationError && error.reason === "kind_missing") return undefined;
    throw error;
  }
}

export interface NewRotation {
  readonly authority: "root" | "intermediate";
  readonly waivedNodes: readonly string[];
}

export async function createRotation(
  api: KubeApi,
  { authority, waivedNodes }: NewRotation,
): Promise<ClusterObject> {
  const waived = waivedNodes.length === 0 ? {} : { waivedNodes };
  const body = {
    apiVersion: "weft.dev/v1",
    kind: "CARotation",
    metadata: { generateName: `${authority}-` },
    spec: { authority, ...waived },
  };
  return (await call(api, { method: "POST", path: COLLECTION, body })) as ClusterObject;
}

/** Adds them to those that are waived already. */
export async function waiveNodes(
  api: KubeApi,
  name: string,
  nodes: readonly string[],
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const object = await readRotation(api, name);
    if (!object) return;
    const before = object.spec?.["waivedNodes"];
    const waivedNodes = [...new Set([...(Array.isArray(before) ? before : []), ...nodes])];
    // With the version that was read: a list is replaced whole, and another's addition must not be lost.
    const { resourceVersion } = object.metadata;
    const body = { metadata: { resourceVersion }, spec: { waivedNodes } };
    try {
      await call(api, { method: "PATCH", path: pathOf(name), patch: "merge", body });
      return;
    } catch (error) {
      const isRaced = error instanceof KubeError && error.reason === "conflict";
      if (!isRaced || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

export async function abortRotation(api: KubeApi, name: string): Promise<void> {
  const body = { spec: { abort: true } };
  await call(api, { method: "PATCH", path: pathOf(name), patch: "merge", body });
}

/** One that has not begun: another came first. */
export async function withdrawRotation(api: KubeApi, name: string): Promise<void> {
  await call(api, { method: "DELETE", path: pathOf(name) });
}

function pathOf(name: string): string {
  return `${COLLECTION}/${encodeURIComponent(name)}`;
}

const VERBS = { GET: "get", POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };

async function call(api: KubeApi, kubeCall: KubeCall): Promise<unknown> {
  return explained(VERBS[kubeCall.method], api.call(kubeCall));
}

async function explained(verb: string, answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.reason === "not_found") {
      const message =
        "this mesh has no CARotation: apply the kinds of this version (kubectl apply -k crds) and its operator";
      throw new RotationError("kind_missing", message, { cause: error });
    }
    if (error.reason !== "forbidden") throw error;
    const message = `you may not ${verb} carotations.weft.dev: the right to ${verb} carotations in the API group weft.dev of the whole cluster is missing`;
    throw new RotationError("forbidden", message, { cause: error });
  }
}
