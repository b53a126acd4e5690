/**
 * `weftctl authz list`: which policies apply to a pod, from where, in the order in which they are evaluated,
 * the modes of its ports, and whose tokens it takes. Reads the objects, from the cluster or from files; changes nothing.
 */
import type { KubeApi } from "../core/kube/kube-api.ts";
import type { AppliedAuthentication } from "../operator/index/applied-authentications.ts";
import type { ScopePlace } from "../operator/index/place-of-scope.ts";
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

function describe(found: PodPolicies): string {
  const { pod, node, meshed, captured, policies, modes, requestAuthentications } = found;
  if (!meshed) return `pod ${pod} is not in the mesh: no policy rules it`;
  const state = captured ? "captured" : "not captured: nothing is enforced now";
  return [
    `pod ${pod} on node ${node}, ${state}`,
    policies.length === 0
      ? "no AuthorizationPolicy applies: every call is allowed that the modes let in"
      : table(["policy", "action", "from", "rules", "remarks"], policies.map(policyRow)),
    table(["port", "mode", "from", "peerauthentication"], modes.map(modeRow)),
    requestAuthentications.length === 0
      ? "no RequestAuthentication applies: no token is looked at"
      : table(
          ["requestauthentication", "from", "issuers", "remarks"],
          requestAuthentications.map(authenticationRow),
        ),
  ].join("\n\n");
}

function policyRow(policy: AppliedPolicy): readonly string[] {
  const { action, dryRun, invalid, provider, rules, ignored } = policy;
  const remarks = [
    ...(dryRun ? ["dry run: never decides"] : []),
    ...(invalid ? ["invalid: see its status"] : []),
    ...(provider === undefined ? [] : [`asks ${provider}`]),
    ...ignored.map(({ field, effect }) => `${field} ${effect}`),
  ];
  return [policy.policy, action, placeText(policy), String(rules), remarks.join("; ")];
}

function placeText({ from, selects }: ScopePlace): string {
  return selects.length === 0 ? from : `${from} ${selects.join(",")}`;
}

function authenticationRow(authentication: AppliedAuthentication): readonly string[] {
  const { policy, invalid, issuers } = authentication;
  const remarks = invalid ? "invalid: refuses every request, see its status" : "";
  return [policy, placeText(authentication), issuers.join(","), remarks];
}

function modeRow({ port, mode, policy, from }: AppliedMode): readonly string[] {
  return [port === 0 ? "any other" : String(port), mode, from, policy];
}
