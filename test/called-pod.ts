/**
 * What becomes of a call to one pod, by manifests alone: read and compiled as the operator does, decided as the
 * node of the pod does, with HTTP on those ports alone that ask for it. Not a test itself.
 */
import { ipBytes } from "../core/model/ip.ts";
import type { RequestAuthentication } from "../core/model/request-authentication.ts";
import type { Attempt, ProviderAnswer } from "../nodeproxy/authz/attempt.ts";
import { type Decision, decide } from "../nodeproxy/authz/decide.ts";
import { decideMode } from "../nodeproxy/authz/decide-mode.ts";
import { createDecider } from "../nodeproxy/authz/decider.ts";
import { readRequest } from "../nodeproxy/http/match/read-request.ts";
import type { RequestHead } from "../nodeproxy/http/message.ts";
import { RequestAuthenticator } from "../nodeproxy/jwt/authenticate.ts";
import { parseKeySet } from "../nodeproxy/jwt/key-set.ts";
import { compileAuthorization } from "../operator/compile/authorization.ts";
import { compileHttpPorts, declaredTlsPorts } from "../operator/compile/http-ports.ts";
import { compileModes } from "../operator/compile/peer-authentication.ts";
import { compileRequestAuthentication } from "../operator/compile/request-authentication.ts";
import { hasLabels, selectsWorkload } from "../operator/compile/selects-workload.ts";
import { parseAuthorizationPolicy } from "../operator/resources/authorization-policy.ts";
import { parseKubeObject } from "../operator/resources/kube-object.ts";
import { parsePeerAuthentication } from "../operator/resources/peer-authentication.ts";
import { parseRequestAuthentication } from "../operator/resources/request-authentication.ts";
import { parseService, type Service } from "../operator/resources/service.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly creationTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
}

export interface CalledPod {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ip: string;
  readonly rootNamespace: string;
  /** Of the issuers that RequestAuthentications name, as their servers give them. */
  readonly jwks?: Readonly<Record<string, string>>;
}

export interface PodCall {
  /** As policies write it; `undefined`: in plaintext. */
  readonly peer: string | undefined;
  readonly ip: string;
  readonly port: number;
  /** Needed exactly where the port is HTTP. */
  readonly request?: PodRequest;
  /** That its TLS names, "" where none; heard where the node listens for it. `undefined`: it is no TLS. */
  readonly serverName?: string;
  /** By the authorizers that MeshConfig names. */
  readonly answers?: ReadonlyMap<string, ProviderAnswer>;
  /** That MeshConfig names. */
  readonly providers?: readonly string[];
}

export interface PodRequest {
  readonly method: string;
  readonly target: string;
  readonly host?: string;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface CallOutcome {
  /** `permit`, or the code of the refusal. */
  readonly code: string;
  readonly isHttp: boolean;
  readonly decision?: Decision;
}

/** Accepts the object, or throws with what is wrong in it. */
export function parseWritten(object: Manifest) {
  switch (object.kind) {
    case "AuthorizationPolicy":
      return parseAuthorizationPolicy(object, { rootNamespace: "weft-system" });
    case "PeerAuthentication":
      return parsePeerAuthentication(object);
    case "RequestAuthentication":
      return parseRequestAuthentication(object);
    default:
      throw new TypeError(`${object.kind} is no policy`);
  }
}

export async function outcomeOfCall(
  objects: readonly Manifest[],
  pod: CalledPod,
  call: PodCall,
): Promise<CallOutcome> {
  const rules = rulesOf(objects, pod);
  const isHttp = rules.httpPorts.some(({ port }) => port === call.port);
  const attempt = attemptOf(call, pod);
  const mode = decideMode(rules.modes, attempt);
  if (mode.kind === "deny") return { code: mode.reason, isHttp };
  if (!isHttp) return decided(rules, heard(rules, attempt, call), { call, isHttp });
  if (!call.request) throw new Error(`port ${call.port} is HTTP, so each request is judged`);
  const read = readRequest(headOf(call.request), {
    sourceIp: attempt.sourceIp,
    caller: call.peer === undefined ? "" : `spiffe://${call.peer}`,
    own: `spiffe://cluster.local/ns/${pod.namespace}/sa/called`,
    trustedProxies: 0,
  });
  if (read.kind === "refused") return { code: read.reason, isHttp };
  const { http, head, remoteIp } = read;
  const token = await authenticatorOf(rules.authentications, pod).authenticate("pod", {
    headers: http.headers,
    target: `${head.path}${head.query}`,
  });
  if (token.kind === "refused") return { code: token.reason, isHttp };
  const { claims } = token;
  const asked = { ...attempt, remoteIp, http: claims ? { ...http, claims } : http };
  return decided(rules, asked, { call, isHttp });
}

type Rules = ReturnType<typeof rulesOf>;

function heard({ tlsPorts }: Rules, attempt: Attempt, { port, serverName }: PodCall): Attempt {
  const isHeard = serverName !== undefined && tlsPorts.includes(port);
  return isHeard ? { ...attempt, sni: serverName } : attempt;
}

function decided(
  { policies }: Rules,
  attempt: Attempt,
  { call, isHttp }: { readonly call: PodCall; readonly isHttp: boolean },
): CallOutcome {
  const { answers, providers = [] } = call;
  const byRef = new Map(policies.map(({ policy }) => [policy.ref, policy]));
  const decider = createDecider({
    refs: [...byRef.keys()],
    policyOf: (ref) => byRef.get(ref),
    settings: { trustDomain: "cluster.local", trustDomainAliases: [] },
    providers,
  });
  const decision = decide(decider, answers ? { ...attempt, answers } : attempt);
  const { verdict } = decision;
  return { code: verdict.kind === "deny" ? verdict.reason : "permit", isHttp, decision };
}

/** What the operator tells the node of the pod. */
function rulesOf(objects: readonly Manifest[], pod: CalledPod) {
  const services = servicesOf(objects, pod);
  const workload = { ...pod, services: services.map(({ name }) => name) };
  const policies = ofKind(objects, "AuthorizationPolicy")
    .map((object) => compileAuthorization(parseAuthorizationPolicy(object, pod)))
    .filter((compiled) => compiled !== undefined)
    .filter((compiled) => selectsWorkload(compiled, workload, pod.rootNamespace));
  const authentications = ofKind(objects, "RequestAuthentication")
    .map((object) => compileRequestAuthentication(parseRequestAuthentication(object)))
    .filter((compiled) => compiled !== undefined)
    .filter((compiled) => selectsWorkload(compiled, workload, pod.rootNamespace))
    .map(({ authentication }) => authentication);
  const peers = ofKind(objects, "PeerAuthentication").flatMap((object) => {
    const parsed = parsePeerAuthentication(object);
    return (parsed.kind === "accepted" ? parsed.value : parsed.present) ?? [];
  });
  const declared = services.flatMap((service) => service.declared);
  const portNames = new Map<string, number>();
  return {
    policies,
    authentications,
    modes: compileModes({ ...pod, policies: peers }),
    httpPorts: compileHttpPorts({
      asks: policies.map(({ http }) => http),
      authenticates: authentications.length > 0,
      declared,
      portNames,
    }),
    tlsPorts: policies.some(({ asksServerName }) => asksServerName)
      ? declaredTlsPorts({ declared, portNames })
      : [],
  };
}

function servicesOf(objects: readonly Manifest[], pod: CalledPod): readonly Service[] {
  return ofKind(objects, "Service").flatMap((object) => {
    const read = parseKubeObject({ ...object, metadata: { uid: "1", ...object.metadata } });
    const service = read.kind === "accepted" ? parseService(read.value) : undefined;
    if (!service) throw new Error(`Service ${object.metadata.name} cannot be read`);
    const { namespace, selector } = service;
    const isOwn = namespace === pod.namespace && selector && hasLabels(pod.labels, selector);
    return isOwn ? [service] : [];
  });
}

function ofKind(objects: readonly Manifest[], kind: string): readonly Manifest[] {
  return objects.filter((object) => object.kind === kind);
}

function attemptOf({ peer, ip, port }: PodCall, pod: CalledPod): Attempt {
  const [trustDomain = "", , namespace = "", , serviceAccount = ""] = (peer ?? "").split("/");
  return {
    ...(peer === undefined ? {} : { peer: { trustDomain, namespace, serviceAccount } }),
    sourceIp: ipBytes(ip) ?? [],
    destinationIp: ipBytes(pod.ip) ?? [],
    destinationPort: port,
  };
}

function headOf({ method, target, host = "api.shop", headers = {} }: PodRequest): RequestHead {
  const [path = "", query] = target.split("?");
  return {
    method,
    scheme: "http",
    authority: host,
    path,
    query: query === undefined ? "" : `?${query}`,
    fields: ["host", host, ...Object.entries(headers).flat()],
    upgrade: "",
    version: "1.1",
  };
}

function authenticatorOf(
  authentications: readonly RequestAuthentication[],
  { jwks = {} }: CalledPod,
): RequestAuthenticator {
  const byRef = new Map(authentications.map((each) => [each.ref, each]));
  return new RequestAuthenticator({
    view: {
      enrolment: () => ({ requestAuthentications: [...byRef.keys()] }),
      requestAuthentication: (ref) => byRef.get(ref),
    },
    keySets: {
      keys: async ({ issuer, keys }) => {
        const text = keys.kind === "inline" ? keys.jwks : jwks[issuer];
        const read = text === undefined ? undefined : parseKeySet(text);
        return read?.kind === "keys" ? read.keys : undefined;
      },
      newerKeys: async () => undefined,
    },
  });
}
