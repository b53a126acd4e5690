/** `weftctl check`: can this cluster run the mesh, and does what is installed work? Changes nothing. */
import type { KubeApi } from "../core/kube/kube-api.ts";
import { checkClock } from "./checks/clock.ts";
import { checkNetworkPlugin } from "./checks/network-plugin.ts";
import { checkNetworkPolicies } from "./checks/network-policies.ts";
import { checkNodes } from "./checks/nodes.ts";
import { checkRules } from "./checks/rules.ts";
import { checkServer } from "./checks/server.ts";
import type { Command } from "./command.ts";
import { getObject, listObjects } from "./mesh/cluster-objects.ts";
import type { Finding } from "./mesh/finding.ts";
import { isInForce, type MeshView } from "./mesh/mesh-view.ts";
import { print } from "./print.ts";
import { readMesh } from "./status.ts";

/** 0 where no check failed, else 1. */
export async function runCheck(api: KubeApi, command: Command): Promise<number> {
  const findings = await check(api, command);
  const passed = findings.every(({ level }) => level !== "fail");
  print({ value: { passed, findings }, text: () => describe(findings) }, command.output);
  return passed ? 0 : 1;
}

async function check(api: KubeApi, command: Command): Promise<readonly Finding[]> {
  const [version, nodes, leases, daemonSets, namespaces, pods, policies] = await Promise.all([
    getObject(api, "/version"),
    listObjects(api, "/api/v1/nodes"),
    listObjects(api, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"),
    listObjects(api, "/apis/apps/v1/daemonsets"),
    listObjects(api, "/api/v1/namespaces"),
    listObjects(api, "/api/v1/pods"),
    listObjects(api, "/apis/networking.k8s.io/v1/networkpolicies"),
  ]);
  const before = [
    ...checkServer(version),
    ...checkNodes(nodes),
    ...checkClock(leases, Date.now()),
    ...checkNetworkPlugin(daemonSets),
    ...checkNetworkPolicies({ policies, pods, namespaces }),
  ];
  if (command.before) return before;
  return [...before, ...checkInstalled(await readMesh(api, command.namespace))];
}

function checkInstalled(view: MeshView): readonly Finding[] {
  if (!view.installed) {
    const message = "not installed; kubectl apply -k deploy installs it";
    return [{ check: "installed", level: "fail", message }];
  }
  const findings: Finding[] = [];
  for (const [check, { ready, wanted }] of [
    ["operator", view.operator],
    ["node proxies", view.nodeProxies],
  ] as const) {
    const level = ready >= wanted && ready > 0 ? "ok" : "fail";
    findings.push({ check, level, message: `${ready} of ${wanted} ready` });
  }
  findings.push(...checkRules(view));
  for (const { pod, node, reason, message } of view.notCaptured) {
    findings.push({
      check: "capture",
      level: "fail",
      message: `${pod} on ${node}: ${reason}: ${message}`,
    });
  }
  for (const policy of view.policies.filter((each) => !isInForce(each))) {
    const { kind, name, accepted } = policy;
    const message = `${kind} ${name}: ${policy.message || "the operator has not judged it yet"}`;
    findings.push({ check: "policy", level: accepted === "False" ? "fail" : "warn", message });
  }
  for (const { kind, name, note } of view.policies.filter((each) => each.note !== "")) {
    findings.push({ check: "policy", level: "warn", message: `${kind} ${name}: ${note}` });
  }
  return findings;
}

const MARKS = { ok: "ok  ", warn: "WARN", fail: "FAIL" } as const;

function describe(findings: readonly Finding[]): string {
  return findings
    .map(({ check, level, message }) => `${MARKS[level]}  ${check}: ${message}`)
    .join("\n");
}
