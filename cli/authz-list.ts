/**
 * `weftctl authz list`: which policies apply to a pod, from where, in the order in which they are evaluated,
 * and the modes of its ports. Reads the objects, from the cluster or from files; changes nothing.
 */
import type { KubeApi } from "../core/kube/kube-api.ts";
import type { AppliedMode, AppliedPolicy, PodPolicies } from "../operator/index/pod-policies.ts";
import type { Command } from "./command.ts";
import { print, table } from "./print.ts";
import { readMeshFromCluster } from "./why/mesh-from-cluster.ts";
import { readMeshFromFiles } from "./why/mesh-from-files.ts";

/** 0: told; 1: the pod is not in the mesh; 2: there is no such pod. */
export async function runAuthzList(api: KubeApi, command: Command): Promise<number> {
  const [namespace = ""] = command.why.pod.split("/");
  const index = await readMeshFromCluster(api, namespace, command.namespace);
  return tell(index.podPolicies(command.why.pod), command);
}

export async function runAuthzListOnFiles(command: Command): Promise<number> {
  const { index, problems } = await readMeshFromFiles(command.why.directory, command.namespace);
  for (const problem of problems) process.stderr.write(`weftctl: ${problem}\n`);
  return tell(index.podPolicies(command.why.pod), command);
}

function tell(found: PodPolicies | undefined, { why, output }: Command): number {
  if (!found) {
    process.stderr.write(`weftctl: there is no pod ${why.pod}\n`);
    return 2;
  }
  print({ value: found, text: () => describe(found) }, output);
  return found.meshed ? 0 : 1;
}

function describe({ pod, node, meshed, captured, policies, modes }: PodPolicies): string {
  if (!meshed) return `pod ${pod} is not in the mesh: no policy rules it`;
  const state = captured ? "captured" : "not captured: nothing is enforced now";
  return [
    `pod ${pod} on node ${node}, ${state}`,
    policies.length === 0
      ? "no AuthorizationPolicy applies: every call is allowed that the modes let in"
      : table(["policy", "action", "from", "rules", "remarks"], policies.map(policyRow)),
    table(["port", "mode", "from", "peerauthentication"], modes.map(modeRow)),
  ].join("\n\n");
}

function policyRow(policy: AppliedPolicy): readonly string[] {
  const { action, dryRun, invalid, provider, from, selects, rules, ignored } = policy;
  const remarks = [
    ...(dryRun ? ["dry run: never decides"] : []),
    ...(invalid ? ["invalid: see its status"] : []),
    ...(provider === undefined ? [] : [`asks ${provider}`]),
    ...ignored.map(({ field, effect }) => `${field} ${effect}`),
  ];
  const place = selects.length === 0 ? from : `${from} ${selects.join(",")}`;
  return [policy.policy, action, place, String(rules), remarks.join("; ")];
}

function modeRow({ port, mode, policy, from }: AppliedMode): readonly string[] {
  return [port === 0 ? "any other" : String(port), mode, from, policy];
}
