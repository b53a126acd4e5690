/**
 * `weftctl why`: may this caller reach that destination, and why? Or: why was that call refused? Asks the
 * nodes that enforce, or computes from files. Changes nothing.
 */
import type { KubeApi } from "../core/kube/kube-api.ts";
import type { AskPod } from "../core/kube/pod-request.ts";
import { isDenialId, nodeTag, tagOf } from "../nodeproxy/denials/denial-id.ts";
import type { DenialAnswer, RequestFacts, WhyQuery } from "../nodeproxy/why/why-answer.ts";
import type { Command } from "./command.ts";
import { type ClusterObject, listObjects } from "./mesh/cluster-objects.ts";
import { print } from "./print.ts";
import {
  type AskedNodes,
  askCluster,
  askFiles,
  type DenialNodes,
  type NodeProxyPod,
} from "./why/asked-nodes.ts";
import { describeDenial } from "./why/describe-denial.ts";
import { describeWhy } from "./why/describe-why.ts";
import { type GatheredWhy, gatherWhy } from "./why/gather-why.ts";
import { readMeshFromFiles } from "./why/mesh-from-files.ts";
import { choosePaint, type Paint } from "./why/paint.ts";
import type { WhyFlags } from "./why-flags.ts";

export interface ClusterWay {
  readonly api: KubeApi;
  readonly askPod: AskPod;
}

const COULD_NOT_TELL = 2;

/** 0: permitted everywhere; 1: denied somewhere; 2: could not be found out. */
export async function runWhy(way: ClusterWay, command: Command): Promise<number> {
  const nodes = await nodesOf(way, command.namespace);
  if (command.why.denial !== "") return tellDenial(nodes, command);
  return tellCall(nodes, command);
}

/** The same from `--source file:DIR`. */
export async function runWhyOnFiles(command: Command): Promise<number> {
  const mesh = await readMeshFromFiles(command.why.directory, command.namespace);
  for (const problem of mesh.problems) process.stderr.write(`weftctl: ${problem}\n`);
  return tellCall(askFiles(mesh), command);
}

async function tellCall(nodes: AskedNodes, { why, output }: Command): Promise<number> {
  const gathered = await gatherWhy(nodes, queryOf(why));
  if (gathered.kind === "unknown") return cannotTell(gathered);
  const { report } = gathered;
  for (const note of notesOn(why)) process.stderr.write(`weftctl: ${note}\n`);
  print({ value: report, text: () => describeWhy(report, paintOut()) }, output);
  if (report.verdict === "unknown") return COULD_NOT_TELL;
  return report.verdict === "permit" ? 0 : 1;
}

function cannotTell({ reason }: Extract<GatheredWhy, { readonly kind: "unknown" }>): number {
  process.stderr.write(`weftctl: ${reason}\n`);
  return COULD_NOT_TELL;
}

function queryOf(why: WhyFlags): WhyQuery {
  const { from, to, plaintext, http: asHttp, sni, method, path, host, headers, claims } = why;
  const request: RequestFacts = {
    ...(method === undefined ? {} : { method }),
    ...(path === undefined ? {} : { path }),
    ...(host === undefined ? {} : { host }),
    headers,
    ...(claims ? { claims } : {}),
  };
  return { from, to, plaintext, asHttp, ...(sni === undefined ? {} : { sni }), request };
}

function notesOn({ http, claims, headers, ...why }: WhyFlags): readonly string[] {
  const isRequest = [why.method, why.path, why.host, claims].some((fact) => fact !== undefined);
  if (http) {
    const token = claims ? "; the token is taken for verified" : "";
    return [`as if the port were read as HTTP${token}`];
  }
  if (!isRequest && headers.length === 0) return [];
  return ["the request's facts count where the port is read as HTTP; with --http as if it were"];
}

async function tellDenial(nodes: DenialNodes, { why, output }: Command): Promise<number> {
  const id = why.denial;
  if (!isDenialId(id)) return cannotTell({ kind: "unknown", reason: `${id}: no id of a denial` });
  const places = nodes.nodes.filter((node) => nodeTag(node) === tagOf(id));
  const found = await findDenial(nodes, places, id);
  if (typeof found === "string") return cannotTell({ kind: "unknown", reason: found });
  print({ value: found, text: () => describeDenial(found, paintOut()) }, output);
  if (!found.now) return COULD_NOT_TELL;
  return found.now.outcome.kind === "permit" ? 0 : 1;
}

async function findDenial(
  nodes: DenialNodes,
  places: readonly string[],
  id: string,
): Promise<Extract<DenialAnswer, { readonly kind: "denial" }> | string> {
  if (places.length === 0) return `${id}: it is of a node on which no node proxy runs`;
  const problems: string[] = [];
  for (const node of places) {
    try {
      const answer = await nodes.denial(node, id);
      if (answer.kind === "denial") return answer;
    } catch (error) {
      problems.push(Error.isError(error) ? error.message : String(error));
    }
  }
  if (problems.length > 0) return problems.join("; ");
  return `${id}: not kept any more on node ${places.join(", ")}: there were 1,000 others since, or its traffic process was restarted`;
}

async function nodesOf(
  { api, askPod }: ClusterWay,
  namespace: string,
): Promise<AskedNodes & DenialNodes> {
  const pods = await listObjects(api, `/api/v1/namespaces/${namespace}/pods`);
  const running = pods
    .filter(isNodeProxy)
    .toSorted((a, b) => (createdAt(a) < createdAt(b) ? 1 : -1))
    .map(({ metadata, spec }): NodeProxyPod => {
      return { pod: metadata.name, node: nameOf(spec?.["nodeName"]) };
    });
  return askCluster(askPod, namespace, running);
}

function isNodeProxy({ metadata, status }: ClusterObject): boolean {
  return metadata.labels?.["app"] === "weft-node-proxy" && status?.["phase"] === "Running";
}

function nameOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function createdAt({ metadata }: ClusterObject): string {
  return metadata.creationTimestamp ?? "";
}

function paintOut(): Paint {
  return choosePaint(process.stdout);
}
