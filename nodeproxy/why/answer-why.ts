/**
 * May this caller reach that destination, and why? Answered from what one node holds: judged are the pods
 * that this node rules, and what no node rules; the rest is another node's to say. Pure.
 */
import { ipBytes } from "../../core/model/ip.ts";
import { modeOfPort } from "../../core/model/mtls-modes.ts";
import type { Attempt, HttpFacts } from "../authz/attempt.ts";
import { type Arrival, judgeAttempt, judgeOutside } from "./judge-attempt.ts";
import type { MeshView } from "./mesh-view.ts";
import { resolveCaller } from "./resolve-caller.ts";
import { resolveDestination } from "./resolve-destination.ts";
import {
  type Caller,
  FORMAT,
  type JudgedTarget,
  type RequestFacts,
  type Target,
  type WhyAnswer,
  type WhyQuery,
} from "./why-answer.ts";

export function answerWhy(view: MeshView, query: WhyQuery): WhyAnswer {
  const resolved = resolveCaller(view, query.from);
  if (resolved.kind === "unknown") return { ...resolved, format: FORMAT };
  const destination = resolveDestination(view, query.to);
  if (destination.kind === "unknown") return { ...destination, format: FORMAT };
  const { caller } = resolved;
  const { kind, name, port } = destination;
  return {
    kind: "answer",
    format: FORMAT,
    node: view.node,
    caller,
    destination: { kind, name, port },
    targets: destination.targets.map((target) => judgeTarget(view, target, { caller, query })),
    notes: [...resolved.notes, ...destination.notes],
  };
}

interface Call {
  readonly caller: Caller;
  readonly query: WhyQuery;
}

function judgeTarget(view: MeshView, target: Target, call: Call): JudgedTarget {
  const isOwn = target.node === view.node;
  if (target.uid !== "" && target.node !== "" && !isOwn) return target;
  const enrolment = view.enrolments.get(target.uid);
  const arrival = arrivalOf(view, target, call);
  if (!enrolment) return { ...target, judgement: judgeOutside(arrival) };
  const isHttp = enrolment.httpPorts?.some(({ port }) => port === target.port) === true;
  const isTls = enrolment.tlsPorts?.includes(target.port) === true;
  const attempt = attemptOf(target, arrival, { ...call, isHttp, isTls });
  return { ...target, judgement: judgeAttempt(view, { enrolment, attempt, arrival }) };
}

/** As the caller's own node decides it (`outbound/choose-upstream.ts`). */
function arrivalOf(
  { workloads }: MeshView,
  { uid, port }: Target,
  { caller, query }: Call,
): Arrival {
  const pod = workloads.findLast((workload) => uid !== "" && workload.uid === uid);
  if (query.plaintext) return plaintext("asked_for");
  if (!caller.tunnels) return plaintext("caller_outside");
  if (!pod?.tunnel) return plaintext("not_captured");
  if (modeOfPort(pod.modes, port) === "DISABLE") return plaintext("mode_disable");
  return { arrives: "mutual_tls", arrivesBecause: "" };
}

function plaintext(arrivesBecause: Arrival["arrivesBecause"]): Arrival {
  return { arrives: "plaintext", arrivesBecause };
}

function attemptOf(
  target: Target,
  { arrives }: Arrival,
  { caller, query, isHttp, isTls }: Call & { readonly isHttp: boolean; readonly isTls: boolean },
): Attempt {
  const { identity } = caller;
  const destinationIp = ipBytes(target.address) ?? [];
  // Where the address is not known, the unspecified one of the family stands for it.
  const sourceIp = ipBytes(caller.address) ?? destinationIp.map(() => 0);
  const { port: destinationPort } = target;
  return {
    ...(arrives === "mutual_tls" && identity ? { peer: identity } : {}),
    sourceIp,
    destinationIp,
    destinationPort,
    ...(isTls ? { sni: query.sni ?? "" } : {}),
    ...(query.asHttp || isHttp ? { http: httpFacts(target, query), remoteIp: sourceIp } : {}),
  };
}

const NO_REQUEST: RequestFacts = { headers: [] };

/** What is not said: GET / of the address. */
function httpFacts({ address, port }: Target, { request = NO_REQUEST }: WhyQuery): HttpFacts {
  const { method = "GET", path: asked = "/", claims } = request;
  const own = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const [path = "/"] = asked.split(/[?#]/);
  const headers = linesOf(request.headers);
  return { method, path, host: request.host ?? own, headers, ...(claims ? { claims } : {}) };
}

function linesOf(headers: RequestFacts["headers"]): HttpFacts["headers"] {
  const lines = new Map<string, readonly string[]>();
  for (const [name, value] of headers) lines.set(name, [...(lines.get(name) ?? []), value]);
  return lines;
}
