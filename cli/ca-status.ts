/**
 * `weftctl ca status`: every certificate of the mesh, how long it still holds, who renews it and when it was
 * issued last. Changes nothing.
 */
import type { KubeApi } from "../core/kube/kube-api.ts";
import { KubeError } from "../core/kube/kube-error.ts";
import { describeCa } from "./ca-tables.ts";
import type { Command } from "./command.ts";
import { type CaView, viewCa } from "./mesh/ca-view.ts";
import { getObject, listObjects } from "./mesh/cluster-objects.ts";
import { print } from "./print.ts";
import { scrapeOperators } from "./server-metrics.ts";

/** 0 where all is well, 1 where somebody must look, 2 where it could not be found out. */
export async function runCaStatus(api: KubeApi, command: Command): Promise<number> {
  let view: CaView;
  try {
    view = await readCa(api, command.namespace);
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    process.stderr.write(`weftctl: ${error.message}\n`);
    return 2;
  }
  print({ value: view, text: () => describeCa(view, Date.now()) }, command.output);
  if (!view.healthy) return 1;
  return view.unknown.length === 0 ? 0 : 2;
}

async function readCa(api: KubeApi, namespace: string): Promise<CaView> {
  const [roots, meshConfig, rotations, reports, pods] = await Promise.all([
    getObject(api, `/api/v1/namespaces/${namespace}/configmaps/weft-roots`),
    getObject(api, "/apis/weft.dev/v1/meshconfigs/default"),
    listObjects(api, "/apis/weft.dev/v1/carotations"),
    listObjects(api, "/apis/weft.dev/v1/nodereports"),
    listObjects(api, "/api/v1/pods"),
  ]);
  const scrapes = await scrapeOperators(api, pods, namespace);
  const now = Date.now();
  return viewCa({ roots, meshConfig, rotations, reports, pods, scrapes, now });
}
