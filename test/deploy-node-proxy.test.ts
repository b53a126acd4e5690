/** Holds the DaemonSet to what the programs that it runs need on a root file system that cannot be written. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";

interface PodSpec {
  readonly containers: readonly {
    readonly env: readonly { readonly name: string; readonly value?: string }[];
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
    readonly securityContext: { readonly readOnlyRootFilesystem: boolean };
  }[];
  readonly volumes: readonly { readonly name: string; readonly emptyDir?: object }[];
}

interface DaemonSet {
  readonly kind: string;
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}

function deployedPod(): PodSpec {
  const documents = parseAllDocuments(readFileSync("deploy/node-proxy.yaml", "utf8"));
  const objects = documents.map((document) => document.toJS() as DaemonSet);
  const found = objects.find(({ kind }) => kind === "DaemonSet");
  if (!found) throw new Error("deploy/node-proxy.yaml has no DaemonSet");
  return found.spec.template.spec;
}

test("deploy/node-proxy.yaml: iptables-legacy can write its lock file", () => {
  const { containers, volumes } = deployedPod();
  const [container] = containers;
  expect(container?.securityContext.readOnlyRootFilesystem).toBe(true);
  const lock = container?.env.find(({ name }) => name === "XTABLES_LOCKFILE")?.value ?? "";
  const mount = container?.volumeMounts.find(({ mountPath }) => mountPath === dirname(lock));
  const volume = volumes.find(({ name }) => name === mount?.name);
  expect(volume?.emptyDir).toBeDefined();
});
