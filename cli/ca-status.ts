/** `weftctl ca status`: every certificate of the mesh, how long it still holds, and who issued it. Changes nothing. */
import type { KubeApi } from "../core/kube/kube-api.ts";
import type { Command } from "./command.ts";
import { formatDuration } from "./format-duration.ts";
import { type CaView, viewCa } from "./mesh/ca-view.ts";
import { getObject, listObjects } from "./mesh/cluster-objects.ts";
import { print, table } from "./print.ts";

/** 0 where nothing has ended, is missing or is late, else 1. */
export async function runCaStatus(api: KubeApi, command: Command): Promise<number> {
  const [roots, meshConfig, reports, pods] = await Promise.all([
    getObject(api, `/api/v1/namespaces/${command.namespace}/configmaps/weft-roots`),
    getObject(api, "/apis/weft.dev/v1/meshconfigs/default"),
    listObjects(api, "/apis/weft.dev/v1/nodereports"),
    listObjects(api, "/api/v1/pods"),
  ]);
  const view = viewCa({ roots, meshConfig, reports, pods, now: Date.now() });
  print({ value: view, text: () => describe(view) }, command.output);
  return view.healthy ? 0 : 1;
}

function describe({ rootsProblem, roots, leaves }: CaView): string {
  const parts: string[] = [];
  if (rootsProblem !== "") parts.push(`${rootsProblem}: is weft installed in this namespace?`);
  if (roots.length > 0) {
    const rows = roots.map(({ subject, fingerprint, secondsLeft, state }) => [
      subject,
      shortened(fingerprint),
      formatDuration(secondsLeft),
      state,
    ]);
    parts.push(table(["root", "fingerprint", "left", "state"], rows));
  }
  if (leaves.length === 0) return [...parts, "no node serves a certificate"].join("\n\n");
  const rows = leaves.map(({ node, identity, secondsLeft, issuer, state }) => [
    node,
    identity,
    state === "missing" ? "-" : formatDuration(secondsLeft),
    issuer === "" ? "-" : shortened(issuer),
    state,
  ]);
  return [...parts, table(["node", "identity", "left", "issuer", "state"], rows)].join("\n\n");
}

/** Enough to tell them apart; `--json` has all of it. */
function shortened(fingerprint: string): string {
  return fingerprint.slice(0, 12);
}
