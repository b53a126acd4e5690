/** `weftctl ca rotate --dry-run`: what would be done, and what would stand in the way. Writes nothing. */
import type { KubeApi } from "../core/kube/kube-api.ts";
import type { Command } from "./command.ts";
import { getObject, listObjects } from "./mesh/cluster-objects.ts";
import { type PlannedPhase, planRotation, type RotationPlan } from "./mesh/rotation-plan.ts";
import { listRotations } from "./mesh/rotations.ts";
import { print, table } from "./print.ts";

/** 0 where nothing would refuse it or hold it up, else 1. */
export async function runRotationPlan(api: KubeApi, command: Command): Promise<number> {
  const { authority } = command.rotate;
  if (authority === "") throw new Error("no authority to rotate");
  const { namespace } = command;
  const [rotations, roots, meshConfig, reports, nodes, pods] = await Promise.all([
    listRotations(api),
    getObject(api, `/api/v1/namespaces/${namespace}/configmaps/weft-roots`),
    getObject(api, "/apis/weft.dev/v1/meshconfigs/default"),
    listObjects(api, "/apis/weft.dev/v1/nodereports"),
    listObjects(api, "/api/v1/nodes"),
    listObjects(api, "/api/v1/pods"),
  ]);
  const now = Date.now();
  const objects = { rotations, roots, meshConfig, reports, nodes, pods };
  const plan = planRotation({ ...objects, authority, namespace, now });
  print({ value: plan, text: () => describe(plan) }, command.output);
  return plan.ready ? 0 : 1;
}

function describe(plan: RotationPlan): string {
  const { authority, phases, refusals, heldUpBy, underWay, notes } = plan;
  const parts = [`nothing was written; a rotation of the ${authority} would do this:`];
  parts.push(
    phases.map((phase) => `  ${phase.phase.padEnd(8)} ${sentence(phase, authority)}`).join("\n"),
  );
  if (underWay && underWay.authority === authority) {
    parts.push(`${underWay.name} is under way (${underWay.phase}): the command would follow it`);
  }
  for (const { reason, message } of refusals) parts.push(`refused: ${reason}: ${message}`);
  if (heldUpBy.length > 0) {
    const rows = heldUpBy.map(({ node, reason, message }) => [node, reason, message]);
    parts.push(`held up now by:\n${table(["node", "reason", "message"], rows)}`);
    const nodes = heldUpBy.map(({ node }) => `--waive ${node}`).join(" ");
    parts.push(`mend these, or go on without them: weftctl ca rotate ${authority} ${nodes}`);
  }
  for (const note of notes) parts.push(`note: ${note}`);
  if (plan.ready) parts.push("nothing that is seen from here would hold it up");
  return parts.join("\n\n");
}

function sentence({ phase, nodes, leaves, pods }: PlannedPhase, authority: string): string {
  switch (phase) {
    case "Add":
      return `a new root beside the old one, until all ${nodes} nodes trust both`;
    case "Reissue":
      return `a new ${authority} signs: ${leaves} certificates on ${nodes} nodes and the tunnels of ${pods} pods are made anew`;
    case "Drop":
      return `the old ${authority} is trusted by none of ${nodes} nodes any more`;
  }
}
