/**
 * `weftctl`: looks at a mesh, checks a cluster, takes the mesh away. Words for people go to standard
 * error or as tables to standard output; `--json` and `-o yaml` print one object there instead.
 *
 * Exit 0 only if everything that the command claims holds, 2 where it was called wrong.
 */
import { KubeConfig } from "@kubernetes/client-node";
import { KubeClient } from "../core/kube/kube-api.ts";
import { createPodAsker } from "../core/kube/pod-request.ts";
import { runAuthzList, runAuthzListOnFiles } from "./authz-list.ts";
import { runCaRotate } from "./ca-rotate.ts";
import { runCaStatus } from "./ca-status.ts";
import { runCheck } from "./check.ts";
import { type Command, parseCommand } from "./command.ts";
import { runExplain } from "./explain.ts";
import type { CommandName } from "./help.ts";
import { runStatus } from "./status.ts";
import { runUninstall } from "./uninstall.ts";
import { runWhy, runWhyOnFiles } from "./why.ts";

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
try {
  process.exit(await run(command));
} catch (error) {
  // What cannot be found out is no denial.
  process.exit(complain(error, command.name === "why" ? 2 : 1));
}

async function run(asked: Command): Promise<number> {
  const { name, why } = asked;
  if (name === "explain") return runExplain(asked);
  return why.directory === "" ? onCluster(asked, name) : onFiles(asked);
}

async function onCluster(asked: Command, name: Exclude<CommandName, "explain">): Promise<number> {
  const config = openConfig(asked);
  const client = openClient(config);
  const runs = {
    status: runStatus,
    check: runCheck,
    uninstall: runUninstall,
    "ca status": runCaStatus,
    "ca rotate": runCaRotate,
    "authz list": runAuthzList,
    why: (api: KubeClient) => runWhy({ api, askPod: createPodAsker(config) }, asked),
  };
  const code = await runs[name](client, asked);
  client.close();
  return code;
}

function onFiles(asked: Command): Promise<number> {
  return asked.name === "why" ? runWhyOnFiles(asked) : runAuthzListOnFiles(asked);
}

/** A kubeconfig that cannot be read, or has no such context, is a wrong call. */
function openConfig({ kubeconfig, context }: Command): KubeConfig {
  try {
    const config = new KubeConfig();
    if (kubeconfig === "") config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
    if (context !== "") config.setCurrentContext(context);
    return config;
  } catch (error) {
    process.exit(complain(error, 2));
  }
}

function openClient(config: KubeConfig): KubeClient {
  try {
    return new KubeClient(config);
  } catch (error) {
    process.exit(complain(error, 2));
  }
}

function complain(error: unknown, code: number): number {
  process.stderr.write(`weftctl: ${Error.isError(error) ? error.message : String(error)}\n`);
  return code;
}
