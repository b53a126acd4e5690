/** MeshConfig's `telemetry.tracing` and `rateLimitService`. */
import { expect, test } from "@jest/globals";
import { parseMeshConfig } from "./mesh-config.ts";

function parse(spec: object) {
  return parseMeshConfig({
    apiVersion: "weft.dev/v1",
    kind: "MeshConfig",
    metadata: { name: "default" },
    spec,
  });
}

function reasonsOf(spec: object): readonly string[] {
  const parsed = parse(spec);
  if (parsed.kind === "accepted") return [];
  return parsed.reasons.map(({ field, message }) => `${field}: ${message}`);
}

test.each([
  ["observability/otel:4317", "observability/otel", 4317],
  ["otel.observability.svc.cluster.local:4317", "observability/otel", 4317],
  ["otel.observability.svc:4317", "observability/otel", 4317],
  ["collector.example.com:443", "collector.example.com", 443],
  ["10.0.0.9:4317", "10.0.0.9", 4317],
  ["[fd00::9]:4317", "fd00::9", 4317],
])("parseMeshConfig(): spans go to %s", (endpoint, service, port) => {
  expect(parse({ telemetry: { tracing: { endpoint, samplingPercent: 0.5 } } })).toMatchObject({
    value: { settings: { tracing: { service, port, partsPerMillion: 5000 } } },
  });
});

test("parseMeshConfig(): one trace in a hundred is sampled where nothing is said of it", () => {
  expect(parse({ telemetry: { tracing: { endpoint: "a/b:1" } } })).toMatchObject({
    value: { settings: { tracing: { partsPerMillion: 10_000 } } },
  });
  const parsed = parse({ telemetry: {} });
  expect(parsed.kind === "accepted" && "tracing" in parsed.value.settings).toBe(false);
});

test.each(["limits/ratelimit", "ratelimit.limits.svc.cluster.local"])(
  "parseMeshConfig(): %s counts for global limits",
  (service) => {
    const least = { service, port: 8081, domain: "shop" };
    expect(parse({ rateLimitService: least })).toMatchObject({
      value: {
        settings: {
          rateLimitService: {
            service: "limits/ratelimit",
            port: 8081,
            timeoutMs: 20,
            failOpen: false,
            domain: "shop",
          },
        },
      },
    });
    expect(parse({ rateLimitService: { ...least, timeout: "1s", failOpen: true } })).toMatchObject({
      value: { settings: { rateLimitService: { timeoutMs: 1000, failOpen: true } } },
    });
  },
);

const PLACE = "spec.telemetry.tracing.endpoint: must be HOST:PORT or NAMESPACE/SERVICE:PORT";

test.each<[object, readonly unknown[]]>([
  [{ telemetry: { tracing: {} } }, ["spec.telemetry.tracing.endpoint: must be given"]],
  [{ telemetry: { tracing: { endpoint: "a/b" } } }, [PLACE]],
  [{ telemetry: { tracing: { endpoint: "a/b:0" } } }, [PLACE]],
  [{ telemetry: { tracing: { endpoint: "fd00::9:99999" } } }, [PLACE]],
  [{ telemetry: { tracing: { endpoint: "http://a:80" } } }, [expect.stringContaining("Service")]],
  [{ telemetry: { tracing: { endpoint: "a b:80" } } }, [PLACE]],
  [{ telemetry: { tracing: { endpoint: "[a]:80" } } }, [PLACE]],
  [
    { telemetry: { tracing: { endpoint: "a:80", samplingPercent: 101 } } },
    [expect.stringContaining("spec.telemetry.tracing.samplingPercent: must be a number")],
  ],
  [{ telemetry: { metrics: {} } }, ["spec.telemetry.metrics: unknown field"]],
  [
    { rateLimitService: {} },
    [
      "spec.rateLimitService.service: must be given",
      "spec.rateLimitService.port: must be given",
      "spec.rateLimitService.domain: must be given",
    ],
  ],
  [
    { rateLimitService: { service: "10.0.0.1", port: 8081, domain: "a b", failOpen: "no" } },
    [
      "spec.rateLimitService.failOpen: must be true or false",
      expect.stringContaining("spec.rateLimitService.service: must be a Service of the cluster"),
      "spec.rateLimitService.domain: must be a name without spaces",
    ],
  ],
  [
    { rateLimitService: { service: "a/b", port: 1, domain: "d", timeout: "11m" } },
    ["spec.rateLimitService.timeout: must be at most 10m"],
  ],
])("parseMeshConfig(): %j is refused", (spec, reasons) => {
  expect(reasonsOf(spec)).toEqual(reasons);
});
