/**
 * A node's own branch of the cgroup tree, below which kubelet puts its pods: made before kubelet
 * starts and removed after the node is gone. Version 1 (one tree for each controller) and 2.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const ROOT = "/sys/fs/cgroup";

export function createCgroup(path: string): void {
  if (isUnified()) {
    // Kubelet needs these controllers below its root; a branch has only what its parent passes on.
    enableControllers(ROOT);
    mkdirSync(join(ROOT, path), { recursive: true });
    enableControllers(join(ROOT, path));
    return;
  }
  for (const tree of listTrees()) {
    mkdirSync(join(tree, path), { recursive: true });
  }
  // A new cpuset of version 1 is empty, and no process may enter an empty one.
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const parent = join(ROOT, "cpuset", file);
    if (existsSync(parent)) {
      writeFileSync(join(ROOT, "cpuset", path, file), readFileSync(parent));
    }
  }
}

/** Removes the branch with everything below; its processes have ended before. */
export function removeCgroup(path: string): void {
  for (const tree of isUnified() ? [ROOT] : listTrees()) {
    removeBranch(join(tree, path));
  }
}

function isUnified(): boolean {
  return existsSync(join(ROOT, "cgroup.controllers"));
}

function enableControllers(dir: string): void {
  const controllers = readFileSync(join(dir, "cgroup.controllers"), "utf8").trim().split(/\s+/);
  for (const controller of controllers) {
    try {
      writeFileSync(join(dir, "cgroup.subtree_control"), `+${controller}`);
    } catch (error) {
      throw new Error(
        `cgroup controller ${controller} cannot be passed on from ${dir}: run on a machine, or in a container with the host's cgroup namespace`,
        { cause: error },
      );
    }
  }
}

function listTrees(): readonly string[] {
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(ROOT, entry.name));
}

/** Only folders can be removed from a cgroup tree, the innermost first. */
function removeBranch(dir: string): void {
  if (!existsSync(dir)) {
    return;
  }
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      removeBranch(join(dir, entry.name));
    }
  }
  rmdirSync(dir);
}
