/** Reads the metrics page of every operator replica through the API server's proxy to pods. Changes nothing. */
import { type KubeApi, kubePath } from "../core/kube/kube-api.ts";
import { KubeError } from "../core/kube/kube-error.ts";
import type { ClusterObject } from "./mesh/cluster-objects.ts";
import type { Scrape } from "./mesh/server-view.ts";

const METRICS_PORT = 15014;
/** A replica answers at once, or does not. */
const TIMEOUT_MS = 5000;

export async function scrapeOperators(
  api: KubeApi,
  pods: readonly ClusterObject[],
  namespace: string,
): Promise<readonly Scrape[]> {
  const replicas = pods.filter(
    ({ metadata, status }) =>
      metadata.namespace === namespace &&
      metadata.labels?.["app"] === "weft-operator" &&
      status?.["phase"] === "Running",
  );
  return Promise.all(replicas.map(({ metadata }) => scrape(api, namespace, metadata.name)));
}

async function scrape(api: KubeApi, namespace: string, pod: string): Promise<Scrape> {
  const path = `${kubePath("api", "v1", "namespaces", namespace, "pods")}/${encodeURIComponent(pod)}:${METRICS_PORT}/proxy/metrics`;
  try {
    const page = await api.call({ method: "GET", path, answer: "text", timeoutMs: TIMEOUT_MS });
    return { kind: "page", pod, page: String(page) };
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.reason === "forbidden") {
      const message = `needs the right to get pods/proxy in ${namespace}`;
      return { kind: "not_seen", pod, message };
    }
    return { kind: "unanswered", pod, message: error.message };
  }
}
