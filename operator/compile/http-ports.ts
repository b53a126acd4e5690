/**
 * Which ports of a workload are HTTP, and which version of it? Only where something asks for HTTP: then those that a
 * Service declares as HTTP, and those that a rule with HTTP attributes names. All others stay opaque. And which are TLS.
 *
 * Declarations of Services that contradict each other make none: on an opaque port attributes read strictly.
 */
import type { CompiledPolicy, Rule } from "../../core/model/authorization-policy.ts";
import type { HttpPort, HttpVersion } from "../../core/model/enrolment.ts";
import { isLayer7Condition } from "../../core/model/layer7-condition.ts";
import type { DeclaredPort } from "../resources/service.ts";

/** What one policy wants of HTTP. */
export interface HttpAsk {
  /** It has an attribute that only HTTP shows. */
  readonly asks: boolean;
  /** That rules with such attributes name. */
  readonly ports: readonly number[];
}

export interface HttpPortsQuestion {
  readonly asks: readonly HttpAsk[];
  /** Of RequestAuthentications that select the workload. */
  readonly authenticates: boolean;
  /** By all Services that pick the workload. */
  readonly declared: readonly DeclaredPort[];
  /** Of the workload's containers. */
  readonly portNames: ReadonlyMap<string, number>;
}

type Declarations = Pick<HttpPortsQuestion, "declared" | "portNames">;

// Kubernetes, Service "Application protocol"; Gateway API, GEP-1911. Istio reads them alike.
const VERSIONS: Readonly<Record<string, HttpVersion>> = {
  http: "http1",
  "kubernetes.io/ws": "http1",
  "kubernetes.io/h2c": "http2",
  http2: "http2",
  h2c: "http2",
  grpc: "http2",
};

/** What an application ends itself, in which there is nothing to be read but the name of a server. */
const TLS: readonly string[] = ["tls", "https"];

export function compileHttpPorts(question: HttpPortsQuestion): readonly HttpPort[] {
  const { asks, authenticates } = question;
  if (!authenticates && !asks.some((ask) => ask.asks)) return [];
  const declared = declaredVersions(question);
  const ports = new Map<number, HttpVersion>();
  for (const port of asks.flatMap((ask) => ask.ports)) ports.set(port, "http1");
  for (const [port, version] of declared) {
    if (version === "opaque" || version === "tls") ports.delete(port);
    else ports.set(port, version);
  }
  return [...ports]
    .map(([port, version]) => ({ port, version }))
    .toSorted((a, b) => a.port - b.port);
}

/** Ports that are declared as TLS, ascending. */
export function declaredTlsPorts(question: Declarations): readonly number[] {
  return [...declaredVersions(question)]
    .filter(([, version]) => version === "tls")
    .map(([port]) => port)
    .toSorted((a, b) => a - b);
}

/** Ports of which Services say different things, ascending. */
export function contradictedPorts(question: Declarations): readonly number[] {
  const said = new Map<number, Set<string>>();
  for (const { port, version } of saidOf(question)) {
    said.set(port, (said.get(port) ?? new Set()).add(version));
  }
  return [...said]
    .filter(([, versions]) => versions.size > 1)
    .map(([port]) => port)
    .toSorted((a, b) => a - b);
}

function declaredVersions(question: Declarations): ReadonlyMap<number, Said["version"]> {
  const versions = new Map(saidOf(question).map(({ port, version }) => [port, version] as const));
  for (const port of contradictedPorts(question)) versions.set(port, "opaque");
  return versions;
}

interface Said {
  readonly port: number;
  readonly version: HttpVersion | "tls" | "opaque";
}

function saidOf({ declared, portNames }: Declarations): readonly Said[] {
  return declared.flatMap(({ target, appProtocol }) => {
    const port = typeof target === "number" ? target : portNames.get(target);
    if (port === undefined || appProtocol === "") return [];
    const other = TLS.includes(appProtocol) ? "tls" : "opaque";
    return [{ port, version: httpVersionOf(appProtocol) ?? other }];
  });
}

/** `undefined`: it is no HTTP. */
export function httpVersionOf(appProtocol: string): HttpVersion | undefined {
  return Object.hasOwn(VERSIONS, appProtocol) ? VERSIONS[appProtocol] : undefined;
}

/** Of a policy that could not be read nothing is known. */
export function httpAskOf({ rules }: Pick<CompiledPolicy, "rules">): HttpAsk {
  const asking = rules.filter(needsHttp);
  return { asks: asking.length > 0, ports: [...new Set(asking.flatMap(namedPorts))] };
}

/** The ports that hold for the attributes of a rule; empty: the rule names none. */
export function namedPorts({ from, to, when }: Rule): readonly number[] {
  const isWhole = from.some(({ layer7 }) => layer7) || when.some(isHttpCondition);
  return [
    ...to.flatMap(({ ports, layer7 }) => (isWhole || layer7 ? ports : [])),
    ...when.flatMap((condition) => (condition.key === "destination.port" ? condition.values : [])),
  ];
}

export function asksServerName({ rules }: Pick<CompiledPolicy, "rules">): boolean {
  return rules.some(({ when }) => when.some(({ key }) => key === "connection.sni"));
}

/** The ports that a rule holds for, whatever it asks; empty: every port. */
export function rulePorts({ to, when }: Rule): readonly number[] {
  const operations = to.every(({ ports }) => ports.length > 0) ? to : [];
  return [
    ...operations.flatMap(({ ports }) => ports),
    ...when.flatMap((condition) => (condition.key === "destination.port" ? condition.values : [])),
  ];
}

function needsHttp({ from, to, when }: Rule): boolean {
  return (
    from.some(({ layer7 }) => layer7) ||
    to.some(({ layer7 }) => layer7) ||
    when.some(isHttpCondition)
  );
}

/** The server name is that of the application's own TLS, in which there is no HTTP to be read. */
function isHttpCondition(condition: Rule["when"][number]): boolean {
  return isLayer7Condition(condition) && condition.key !== "connection.sni";
}
