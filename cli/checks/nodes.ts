/** Can the nodes carry a node proxy: Linux, a kernel with what capture uses, a runtime whose pods share the host's kernel? */
import type { ClusterObject } from "../mesh/cluster-objects.ts";
import type { Finding } from "../mesh/finding.ts";

// SO_NETNS_COOKIE came with Linux 5.14; every namespace crossing is checked with it.
const OLDEST_KERNEL = [5, 14] as const;

interface NodeInfo {
  readonly kernelVersion?: string;
  readonly operatingSystem?: string;
  readonly architecture?: string;
}

export function checkNodes(nodes: readonly ClusterObject[]): readonly Finding[] {
  const wrong = nodes.flatMap(checkNode);
  if (wrong.length > 0) return wrong;
  return [{ check: "nodes", level: "ok", message: `${nodes.length} nodes can carry a node proxy` }];
}

function checkNode({ metadata, status }: ClusterObject): readonly Finding[] {
  const info = (status?.["nodeInfo"] ?? {}) as NodeInfo;
  if (info.operatingSystem !== "linux") {
    const message = `${metadata.name} runs ${info.operatingSystem}: its pods stay outside the mesh`;
    return [{ check: "nodes", level: "warn", message }];
  }
  const [major = 0, minor = 0] = (info.kernelVersion ?? "").split(/[.-]/).map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_KERNEL;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    const message = `${metadata.name} has Linux ${info.kernelVersion}; weft needs ${OLDEST_KERNEL.join(".")} or later`;
    return [{ check: "kernel", level: "fail", message }];
  }
  if (info.architecture !== "amd64" && info.architecture !== "arm64") {
    const message = `${metadata.name} is ${info.architecture}; the image is built for amd64 and arm64`;
    return [{ check: "nodes", level: "fail", message }];
  }
  return [];
}
