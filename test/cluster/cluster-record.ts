/**
 * What is remembered of each cluster on this machine, so that another process can find, use and
 * remove it by name: `${WEFT_CLUSTER_DIR:-/var/tmp/weft-cluster}/<name>/cluster.json`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ClusterLayout, layOutCluster } from "./cluster-layout.ts";

interface ClusterRecord {
  readonly octet: number;
  readonly nodes: number;
}

export function clusterDir(name: string): string {
  return join(process.env["WEFT_CLUSTER_DIR"] ?? "/var/tmp/weft-cluster", name);
}

/** Written before anything is made, so that an interrupted start can be removed. */
export function recordCluster(layout: ClusterLayout): void {
  mkdirSync(layout.dir, { recursive: true });
  const record: ClusterRecord = { octet: layout.octet, nodes: layout.nodes.length };
  writeFileSync(join(layout.dir, "cluster.json"), JSON.stringify(record));
}

/** The layout of the cluster recorded under `dir`, undefined where none is. */
export function readCluster(name: string, dir: string): ClusterLayout | undefined {
  try {
    const { octet, nodes } = JSON.parse(
      readFileSync(join(dir, "cluster.json"), "utf8"),
    ) as ClusterRecord;
    return layOutCluster({ name, dir, octet, nodes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}
