/**
 * The mesh that a directory of Kubernetes YAML describes, as the operator would hand it to its nodes if
 * every enrolled pod were captured. Reads once, writes nothing.
 */
import { createLog } from "../../core/process/log.ts";
import { viewMesh } from "../../nodeproxy/why/mesh-view.ts";
import { ClusterIndex } from "../../operator/index/cluster-index.ts";
import { FilesSource } from "../../operator/source/files.ts";

export interface FileMesh {
  readonly index: ClusterIndex;
  /** With pods. */
  readonly nodes: readonly string[];
  /** What of the files is not understood. */
  readonly problems: readonly string[];
}

/** `rootNamespace`: of the mesh. Throws where the directory cannot be read. */
export async function readMeshFromFiles(
  directory: string,
  rootNamespace: string,
): Promise<FileMesh> {
  const index = new ClusterIndex({ rootNamespace, schedule: ignore });
  // What is wrong with the files is told by `errors()`.
  const log = createLog({ name: "weftctl", level: "fatal" });
  const source = new FilesSource({ directory, log });
  await source.start((event) => {
    if (event.kind !== "synced") index.apply(event);
  });
  const errors = source.errors().map(({ place, message }) => `${place}: ${message}`);
  await source.close();
  const ignored = index.ignored().map(({ object, reasons }) => `${object}: ${reasons.join("; ")}`);
  return { index, nodes: captureAll(index), problems: [...errors, ...ignored] };
}

/** As if every node had reported all of its pods captured. */
function captureAll(index: ClusterIndex): readonly string[] {
  const { workloads } = viewMesh("", index.resourcesFor("").values());
  const nodes = [...new Set(workloads.map(({ node }) => node))].toSorted();
  for (const node of nodes) {
    const { enrolments } = viewMesh(node, index.resourcesFor(node).values());
    const captures = [...enrolments.keys()].map(
      (uid) =>
        ({ uid, state: "captured", reason: "", message: "", connectionsOutside: 0 }) as const,
    );
    const report = { node, version: "", captures, leaves: [], bundles: [], olderTunnels: [] };
    index.setReport(report, Date.now());
  }
  return nodes;
}

function ignore(): void {}
