/** External authorizers from protobuf; what cannot be read is a finding. */
import type { AuthorizationProvider } from "../model/authorization-provider.ts";
import { decodeMatches } from "./decode-policy-values.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

const MAX_TIMEOUT_MS = 600_000;
const MAX_BODY_BYTES = 1_048_576;

export function decodeProvider(
  provider: wire.AuthorizationProvider,
  findings: Findings,
): AuthorizationProvider {
  const { body, failOpen } = provider;
  return {
    name: findings.name("providers.name", provider.name),
    service: findings.name("providers.service", provider.service),
    port: findings.port("providers.port", provider.port),
    timeoutMs: findings.integer("providers.timeoutMs", provider.timeoutMs, [1, MAX_TIMEOUT_MS]),
    failOpen,
    statusOnError: findings.integer("providers.statusOnError", provider.statusOnError, [200, 599]),
    ...(body ? { body: decodeBody(body, findings) } : {}),
    protocol: decodeProtocol(provider.protocol, findings),
  };
}

function decodeBody(
  { maxBytes, allowPartial, packAsBytes }: wire.BodyInCheck,
  findings: Findings,
): NonNullable<AuthorizationProvider["body"]> {
  findings.integer("providers.body.maxBytes", maxBytes, [1, MAX_BODY_BYTES]);
  return { maxBytes, allowPartial, packAsBytes };
}

function decodeProtocol(
  protocol: wire.AuthorizationProvider["protocol"],
  findings: Findings,
): AuthorizationProvider["protocol"] {
  switch (protocol.case) {
    case "http": {
      const { value } = protocol;
      return {
        kind: "http",
        pathPrefix: findings.text("providers.pathPrefix", value.pathPrefix),
        requestHeaders: decodeMatches(value.requestHeaders, findings),
        additionalHeaders: value.additionalHeaders.map((header) => ({
          name: findings.name("providers.additionalHeaders.name", header.name),
          value: findings.text("providers.additionalHeaders.value", header.value),
        })),
        upstreamHeadersOnAllow: decodeMatches(value.upstreamHeadersOnAllow, findings),
        downstreamHeadersOnAllow: decodeMatches(value.downstreamHeadersOnAllow, findings),
        downstreamHeadersOnDeny: decodeMatches(value.downstreamHeadersOnDeny, findings),
      };
    }
    case undefined:
      findings.add("providers.protocol: of no known kind");
      return { kind: "grpc" };
    case "grpc":
      return { kind: "grpc" };
  }
}
