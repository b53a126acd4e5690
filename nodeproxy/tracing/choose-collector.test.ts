import { expect, test } from "@jest/globals";
import type { Endpoint, EndpointSlice, Service } from "../../core/model/service.ts";
import { chooseCollector } from "./choose-collector.ts";

const SERVICE: Service = {
  namespace: "ops",
  name: "collector",
  addresses: ["10.96.0.9"],
  ports: [{ port: 4318, name: "otlp", appProtocol: "" }],
  algorithm: "round_robin",
  localOnly: false,
  distribution: "anywhere",
  affinitySeconds: 0,
};

function endpoint(address: string, part: Partial<Endpoint> = {}): Endpoint {
  const place = { node: "node-a", zone: "", forZones: [], forNodes: [] };
  return { address, workload: "", ready: true, draining: false, ...place, ...part };
}

function slice(...endpoints: readonly Endpoint[]): EndpointSlice {
  const ports = [{ name: "otlp", port: 14318 }];
  return { namespace: "ops", name: "collector-1", service: "collector", ports, endpoints };
}

function choose(
  [ref, port]: readonly [string, number],
  slices: readonly EndpointSlice[],
  draw = 0,
) {
  const view = {
    service: (name: string) => (name === "ops/collector" ? SERVICE : undefined),
    slicesOf: () => slices,
  };
  const settings = { service: ref, port, partsPerMillion: 0 };
  return chooseCollector(view, settings, { draw: () => draw, node: "node-a" });
}

test("chooseCollector(): an endpoint of the Service by chance, at its own port", () => {
  const slices = [
    slice(endpoint("10.0.0.1"), endpoint("10.0.0.2"), endpoint("10.0.0.3", { ready: false })),
  ];
  expect(
    [0, 0.49, 0.5, 0.999].map((draw) => choose(["ops/collector", 4318], slices, draw)),
  ).toEqual([
    { host: "10.0.0.1", port: 14318 },
    { host: "10.0.0.1", port: 14318 },
    { host: "10.0.0.2", port: 14318 },
    { host: "10.0.0.2", port: 14318 },
  ]);
});

test("chooseCollector(): what is no Service of the mesh is a host", () => {
  expect(choose(["otel.example.com", 4318], [])).toEqual({ host: "otel.example.com", port: 4318 });
});

test("chooseCollector(): says what is missing", () => {
  expect(choose(["ops/other", 4318], [])).toBe("there is no Service ops/other with port 4318");
  expect(choose(["ops/collector", 1], [])).toBe("there is no Service ops/collector with port 1");
  expect(choose(["ops/collector", 4318], [slice()])).toBe(
    "Service ops/collector has no endpoint that is ready",
  );
});
