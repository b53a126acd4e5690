/**
 * What a span says of a request: OpenTelemetry's semantic conventions for HTTP (stable, 1.23) and for RPC, and under
 * `weft.` what only the mesh knows. Never a header, never the query.
 */
import type {
  ConnectionFacts,
  ConnectionOutcome,
  Party,
  RequestLine,
} from "../flow/connection-facts.ts";
import { grpcStatusOf, isGrpc } from "../http/grpc-status.ts";
import { type Attributes, encodeSpan } from "./otlp-writer.ts";
import { failureOf } from "./span-failure.ts";

type Outcome = Pick<ConnectionOutcome, "code" | "policy">;

/** Of texts that callers choose. */
const MAX_TEXT = 1_024;
/** "the HTTP request method … known to the instrumentation": RFC 9110's, PATCH and QUERY. */
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "QUERY",
  "TRACE",
]);

/** `undefined` where no span was begun. `endedMs`: since the epoch. */
export function spanBytes(
  facts: ConnectionFacts,
  outcome: Outcome,
  endedMs: number,
): Uint8Array | undefined {
  const { request } = facts;
  const trace = request?.trace;
  if (!request || !trace) return undefined;
  const { code, policy } = outcome;
  const isServer = facts.direction === "inbound";
  const call = isGrpc(request.fields) ? callOf(request.path) : undefined;
  const { status } = request;
  const grpcStatus = request.grpcStatus ?? (call && refusedWith(status));
  const failed = failureOf({ isServer, status, grpcStatus, code });
  const attributes: Attributes = [
    ...methodAttributes(request.method),
    ["http.response.status_code", status === 0 ? undefined : status],
    ["url.scheme", "http"],
    ["url.path", short(request.path)],
    ...placeAttributes(facts, request),
    ["network.protocol.version", trace.version],
    ...(call ? callAttributes(call, grpcStatus) : []),
    ["error.type", failed.type],
    ["weft.source.workload", nameOf(facts.source)],
    ["weft.destination.workload", nameOf(facts.destination)],
    ["weft.service", facts.service],
    ["weft.route", request.route],
    ["weft.route.rule", request.routeRule],
    ["weft.policy", policy],
  ];
  return encodeSpan({
    ...trace,
    // Spans that wait are bounded by their number. W3C Trace Context 3.3.1.5: 512 characters at least.
    state: trace.state.length > MAX_TEXT ? "" : trace.state,
    name: call ? short(`${call.service}/${call.method}`) : spanName(request.method),
    kind: isServer ? "SERVER" : "CLIENT",
    endedMs,
    attributes,
    isError: failed.isError,
  });
}

interface RpcCall {
  readonly service: string;
  readonly method: string;
}

/** "/package.Service/Method" */
function callOf(path: string): RpcCall | undefined {
  const [, service, method] = /^\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  return service === undefined || method === undefined ? undefined : { service, method };
}

/** What a caller of gRPC hears where a gate refuses its request: the log has the status of HTTP. */
function refusedWith(status: number): number | undefined {
  return status >= 400 ? grpcStatusOf(status) : undefined;
}

function callAttributes({ service, method }: RpcCall, status: number | undefined): Attributes {
  return [
    ["rpc.system", "grpc"],
    ["rpc.service", short(service)],
    ["rpc.method", short(method)],
    ["rpc.grpc.status_code", status],
  ];
}

function methodAttributes(method: string): Attributes {
  if (KNOWN_METHODS.has(method)) return [["http.request.method", method]];
  return [
    ["http.request.method", "_OTHER"],
    ["http.request.method_original", short(method)],
  ];
}

/** "If no low-cardinality route is available": the method, and no more. */
function spanName(method: string): string {
  return KNOWN_METHODS.has(method) ? method : "HTTP";
}

function placeAttributes(facts: ConnectionFacts, { host, path }: RequestLine): Attributes {
  const server = splitPort(short(host));
  const asked: Attributes = [
    ["server.address", server.address],
    ["server.port", server.port],
  ];
  if (facts.direction === "inbound") {
    return [...asked, ["client.address", splitPort(facts.sourceAddress).address]];
  }
  const peer = splitPort(facts.upstreamAddress);
  return [
    ...asked,
    ["url.full", short(`http://${host}${path}`)],
    ["network.peer.address", peer.address],
    ["network.peer.port", peer.port],
  ];
}

/** `address:port`, `[address]:port`, or an address alone. */
function splitPort(text: string): { readonly address: string; readonly port: number | undefined } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined) return { address: text, port: undefined };
  return { address, port: port === undefined ? undefined : Number(port) };
}

function nameOf({ namespace, name }: Party): string {
  return name === "" ? "" : `${namespace}/${name}`;
}

function short(text: string): string {
  return text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text;
}
