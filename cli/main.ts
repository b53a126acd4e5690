/**
 * `weftctl`: looks at a mesh, checks a cluster, takes the mesh away. Words for people go to standard
 * error or as tables to standard output; `--json` and `-o yaml` print one object there instead.
 *
 * Exit 0 only if everything that the command claims holds, 2 where it was called wrong.
 */
import { KubeConfig } from "@kubernetes/client-node";
import { KubeClient } from "../core/kube/kube-api.ts";
import { runCaRotate } from "./ca-rotate.ts";
import { runCaStatus } from "./ca-status.ts";
import { runCheck } from "./check.ts";
import { type Command, parseCommand } from "./command.ts";
import { runStatus } from "./status.ts";
import { runUninstall } from "./uninstall.ts";

const parsed = parseCommand(process.argv.slice(2));
if (parsed.kind === "help") {
  process.stdout.write(`${parsed.text}\n`);
  process.exit(0);
}
if (parsed.kind === "wrong") {
  process.stderr.write(`${parsed.reasons.join("\n")}\n`);
  process.exit(2);
}
const { command } = parsed;
const client = openClient(command);
try {
  const runs = {
    status: runStatus,
    check: runCheck,
    uninstall: runUninstall,
    "ca status": runCaStatus,
    "ca rotate": runCaRotate,
  };
  const code = await runs[command.name](client, command);
  client.close();
  process.exit(code);
} catch (error) {
  process.exit(complain(error, 1));
}

/** A kubeconfig that cannot be read, or has no such context, is a wrong call. */
function openClient({ kubeconfig, context }: Command): KubeClient {
  try {
    const config = new KubeConfig();
    if (kubeconfig === "") config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
    if (context !== "") config.setCurrentContext(context);
    return new KubeClient(config);
  } catch (error) {
    process.exit(complain(error, 2));
  }
}

function complain(error: unknown, code: number): number {
  process.stderr.write(`weftctl: ${Error.isError(error) ? error.message : String(error)}\n`);
  return code;
}
