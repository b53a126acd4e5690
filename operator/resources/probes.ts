/**
 * What kubelet asks a pod from outside: the probes and lifecycle handlers of all its containers, with
 * kubelet's own defaults filled in.
 *
 * Under STRICT exactly these are performed by the node proxy, so nothing is listed that kubelet would
 * not itself send to the pod's address.
 */
import type { Probe } from "../../core/model/enrolment.ts";
import { canonicalIp } from "../../core/model/ip.ts";
import { asPort, asRecord, asText, type RawRecord, recordsOf } from "./narrow.ts";

const PROBES = ["startupProbe", "livenessProbe", "readinessProbe"];
const HANDLERS = ["postStart", "preStop"];
/** Kubernetes' default for `terminationGracePeriodSeconds`, which bounds a `preStop`. */
const DEFAULT_GRACE_SECONDS = 30;

/** `addresses` are the pod's own: an `httpGet` with another `host` never reaches the pod. */
export function parseProbes(podSpec: RawRecord, addresses: readonly string[]): readonly Probe[] {
  const grace = asSeconds(podSpec["terminationGracePeriodSeconds"]) ?? DEFAULT_GRACE_SECONDS;
  const containers = [
    ...recordsOf(podSpec["initContainers"]),
    ...recordsOf(podSpec["containers"]),
  ].map((container) => ({ container, addresses }));
  const probes = containers.flatMap((pod) => [
    ...PROBES.flatMap((field) => readProbe(pod, asRecord(pod.container[field]))),
    ...HANDLERS.flatMap((field) => readHandler(pod, { field, timeoutMs: grace * 1000 })),
  ]);
  return withoutRepeats(probes);
}

interface Place {
  readonly container: RawRecord;
  readonly addresses: readonly string[];
}

function readProbe(place: Place, probe: RawRecord | undefined): readonly Probe[] {
  if (!probe) return [];
  const timeoutMs = (asSeconds(probe["timeoutSeconds"]) ?? 1) * 1000;
  const httpGet = asRecord(probe["httpGet"]);
  const tcpSocket = asRecord(probe["tcpSocket"]);
  const grpc = asRecord(probe["grpc"]);
  if (httpGet) return readHttp(place, httpGet, timeoutMs);
  if (tcpSocket) {
    const port = resolvePort(place.container, tcpSocket["port"]);
    return port === undefined || !isOwnHost(place, tcpSocket["host"])
      ? []
      : [{ kind: "tcp", port, timeoutMs }];
  }
  const port = asPort(grpc?.["port"]);
  if (port === undefined) return [];
  return [{ kind: "grpc", port, service: asText(grpc?.["service"]) ?? "", timeoutMs }];
}

/** Only `httpGet`: kubelet refuses a `tcpSocket` as a lifecycle handler, and `exec` stays in the pod. */
function readHandler(
  place: Place,
  { field, timeoutMs }: { readonly field: string; readonly timeoutMs: number },
): readonly Probe[] {
  const handler = asRecord(asRecord(place.container["lifecycle"])?.[field]);
  const httpGet = asRecord(handler?.["httpGet"]);
  return httpGet ? readHttp(place, httpGet, timeoutMs) : [];
}

function readHttp(place: Place, httpGet: RawRecord, timeoutMs: number): readonly Probe[] {
  const port = resolvePort(place.container, httpGet["port"]);
  if (port === undefined || !isOwnHost(place, httpGet["host"])) return [];
  const headers = recordsOf(httpGet["httpHeaders"]).flatMap(({ name, value }) =>
    typeof name === "string" && typeof value === "string" ? [{ name, value }] : [],
  );
  const scheme = httpGet["scheme"] === "HTTPS" ? "HTTPS" : "HTTP";
  return [{ kind: "http", port, scheme, path: requestPath(httpGet["path"]), headers, timeoutMs }];
}

function isOwnHost({ addresses }: Place, host: unknown): boolean {
  const text = asText(host);
  return text === undefined || addresses.includes(canonicalIp(text) ?? text);
}

/** Kubelet makes a URL of it: a missing slash is put in front, a fragment never goes out. */
function requestPath(value: unknown): string {
  const path = (asText(value) ?? "/").replace(/#.*$/s, "");
  return path.startsWith("/") ? path : `/${path}`;
}

/** Kubelet's order: a number, a port name of the same container, a number written as a string. */
function resolvePort(container: RawRecord, value: unknown): number | undefined {
  if (typeof value !== "string") return asPort(value);
  const named = recordsOf(container["ports"]).find(({ name }) => name === value);
  if (named) return asPort(named["containerPort"]);
  return /^[0-9]{1,5}$/.test(value) ? asPort(Number(value)) : undefined;
}

function asSeconds(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= 86_400
    ? value
    : undefined;
}

/** The same question of several probes is one, with the longest patience of them. */
function withoutRepeats(probes: readonly Probe[]): readonly Probe[] {
  const byQuestion = new Map<string, Probe>();
  for (const probe of probes) {
    const question = JSON.stringify({ ...probe, timeoutMs: 0 });
    const seen = byQuestion.get(question);
    if (!seen || seen.timeoutMs < probe.timeoutMs) byQuestion.set(question, probe);
  }
  return [...byQuestion.values()];
}
