/** External authorizers as protobuf. Total: every value of the model has a form on the wire. */
import { create } from "@bufbuild/protobuf";
import type { AuthorizationProvider } from "../model/authorization-provider.ts";
import { encodeMatch } from "./encode-policy.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

export function encodeProvider(provider: AuthorizationProvider): wire.AuthorizationProvider {
  const { body, protocol, ...same } = provider;
  return create(wire.AuthorizationProviderSchema, {
    ...same,
    ...(body ? { body: create(wire.BodyInCheckSchema, body) } : {}),
    protocol: encodeProtocol(protocol),
  });
}

function encodeProtocol(
  protocol: AuthorizationProvider["protocol"],
): wire.AuthorizationProvider["protocol"] {
  switch (protocol.kind) {
    case "grpc":
      return { case: "grpc", value: create(wire.GrpcAuthorizerSchema) };
    case "http":
      return {
        case: "http",
        value: create(wire.HttpAuthorizerSchema, {
          pathPrefix: protocol.pathPrefix,
          requestHeaders: protocol.requestHeaders.map(encodeMatch),
          additionalHeaders: protocol.additionalHeaders.map((header) =>
            create(wire.HttpHeaderSchema, header),
          ),
          upstreamHeadersOnAllow: protocol.upstreamHeadersOnAllow.map(encodeMatch),
          downstreamHeadersOnAllow: protocol.downstreamHeadersOnAllow.map(encodeMatch),
          downstreamHeadersOnDeny: protocol.downstreamHeadersOnDeny.map(encodeMatch),
        }),
      };
  }
}
