import { expect, test } from "@jest/globals";
import { parseMeshConfig } from "./mesh-config.ts";

function parse(extensionProviders: unknown) {
  return parseMeshConfig({
    apiVersion: "weft.dev/v1",
    kind: "MeshConfig",
    metadata: { name: "default" },
    spec: { extensionProviders },
  });
}

const at = { service: "opa.policy.svc.cluster.local", port: 9191 };

test("parseProviders(): a gRPC authorizer, with the defaults", () => {
  expect(parse([{ name: "opa", envoyExtAuthzGrpc: at }])).toMatchObject({
    kind: "accepted",
    value: {
      settings: {
        authorizationProviders: [
          {
            name: "opa",
            service: "policy/opa",
            port: 9191,
            timeoutMs: 5_000,
            failOpen: false,
            statusOnError: 403,
            protocol: { kind: "grpc" },
          },
        ],
      },
    },
  });
});

test("parseProviders(): an HTTP authorizer, with every field", () => {
  const envoyExtAuthzHttp = {
    service: "policy/opa.policy",
    port: 80,
    timeout: "1s",
    failOpen: true,
    statusOnError: "503",
    includeRequestBodyInCheck: { maxRequestBytes: 10, allowPartialMessage: true },
    pathPrefix: "/check",
    includeRequestHeadersInCheck: ["Cookie", "x-a-*"],
    includeAdditionalHeadersInCheck: { "X-From": "weft" },
    headersToUpstreamOnAllow: ["X-User"],
    headersToDownstreamOnAllow: ["set-cookie"],
    headersToDownstreamOnDeny: ["*"],
  };
  expect(parse([{ name: "web", envoyExtAuthzHttp }])).toMatchObject({
    value: {
      settings: {
        authorizationProviders: [
          {
            service: "policy/opa",
            timeoutMs: 1_000,
            failOpen: true,
            statusOnError: 503,
            body: { maxBytes: 10, allowPartial: true, packAsBytes: false },
            protocol: {
              kind: "http",
              pathPrefix: "/check",
              requestHeaders: [
                { kind: "exact", value: "cookie" },
                { kind: "prefix", value: "x-a-" },
              ],
              additionalHeaders: [{ name: "x-from", value: "weft" }],
              upstreamHeadersOnAllow: [{ kind: "exact", value: "x-user" }],
              downstreamHeadersOnAllow: [{ kind: "exact", value: "set-cookie" }],
              downstreamHeadersOnDeny: [{ kind: "present" }],
            },
          },
        ],
      },
    },
  });
});

test("parseProviders(): none is none", () => {
  const parsed = parse(undefined);
  expect(parsed.kind === "accepted" && parsed.value.settings).not.toHaveProperty(
    "authorizationProviders",
  );
});

const grpc = "envoyExtAuthzGrpc";
test.each([
  ["no name", { [grpc]: at }, ""],
  ["a name with a space", { name: "a b", [grpc]: at }, ".name"],
  ["neither protocol", { name: "a" }, ""],
  ["both", { name: "a", [grpc]: at, envoyExtAuthzHttp: at }, ""],
  ["no service", { name: "a", [grpc]: { port: 1 } }, `.${grpc}.service`],
  [
    "a host outside",
    { name: "a", [grpc]: { ...at, service: "a.example.com" } },
    `.${grpc}.service`,
  ],
  ["an address", { name: "a", [grpc]: { ...at, service: "127.0.0.1" } }, `.${grpc}.service`],
  ["two namespaces", { name: "a", [grpc]: { ...at, service: "x/opa.policy" } }, `.${grpc}.service`],
  ["no port", { name: "a", [grpc]: { service: at.service } }, `.${grpc}.port`],
  ["port 0", { name: "a", [grpc]: { ...at, port: 0 } }, `.${grpc}.port`],
  ["status 100", { name: "a", [grpc]: { ...at, statusOnError: "100" } }, `.${grpc}.statusOnError`],
  ["a path for gRPC", { name: "a", [grpc]: { ...at, pathPrefix: "/" } }, `.${grpc}.pathPrefix`],
  [
    "a relative path",
    { name: "a", envoyExtAuthzHttp: { ...at, pathPrefix: "x" } },
    ".envoyExtAuthzHttp.pathPrefix",
  ],
  [
    "a header with a line break",
    { name: "a", envoyExtAuthzHttp: { ...at, includeAdditionalHeadersInCheck: { a: "b\r\nc" } } },
    ".envoyExtAuthzHttp.includeAdditionalHeadersInCheck.a",
  ],
  [
    "a body without a bound",
    { name: "a", [grpc]: { ...at, includeRequestBodyInCheck: {} } },
    `.${grpc}.includeRequestBodyInCheck.maxRequestBytes`,
  ],
])("parseProviders(): %s is refused", (_, provider, field) => {
  const parsed = parse([provider]);
  expect(parsed).toMatchObject({
    kind: "refused",
    reasons: [{ field: `spec.extensionProviders[0]${field}` }],
  });
});

test("parseProviders(): one name twice is refused", () => {
  const provider = { name: "a", [grpc]: at };
  expect(parse([provider, provider])).toMatchObject({
    kind: "refused",
    reasons: [{ field: "spec.extensionProviders" }],
  });
});

test("parseProviders(): what a provider is written to do and does not is told when it is applied", () => {
  const at = { service: "opa.policy", port: 80 };
  const includeRequestBodyInCheck = { maxRequestBytes: 10 };
  const named = { ...at, headersToUpstreamOnAllow: ["x-user"] };
  expect(parse([{ name: "web", envoyExtAuthzHttp: named }])).toMatchObject({ warnings: [] });
  const parsed = parse([
    { name: "a", envoyExtAuthzGrpc: { ...at, includeRequestBodyInCheck } },
    {
      name: "b",
      envoyExtAuthzHttp: {
        ...at,
        includeRequestBodyInCheck,
        headersToDownstreamOnAllow: ["set-cookie"],
      },
    },
  ]);
  expect(parsed.kind === "accepted" && parsed.warnings.map(({ field }) => field)).toEqual([
    "spec.extensionProviders[0].envoyExtAuthzGrpc.includeRequestBodyInCheck",
    "spec.extensionProviders[1].envoyExtAuthzHttp.includeRequestBodyInCheck",
    "spec.extensionProviders[1].envoyExtAuthzHttp.headersToDownstreamOnAllow",
  ]);
});
