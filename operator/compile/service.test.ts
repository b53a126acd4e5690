import { expect, test } from "@jest/globals";
import { parseKubeObject } from "../resources/kube-object.ts";
import { parseService } from "../resources/service.ts";
import { compileService } from "./service.ts";

function versionsOf(...appProtocols: readonly (string | undefined)[]) {
  const ports = appProtocols.map((appProtocol, index) => ({
    name: `p${index}`,
    port: 80 + index,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
  const metadata = { name: "api", namespace: "shop" };
  const parsed = parseKubeObject({
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { clusterIP: "10.0.0.1", ports },
  });
  const service = parsed.kind === "refused" ? undefined : parseService(parsed.value);
  return service && compileService(service).ports.map(({ http }) => http);
}

test("compileService(): a port is HTTP for callers where appProtocol says so, whatever its number and name", () => {
  expect(
    versionsOf("http", "kubernetes.io/ws", "kubernetes.io/h2c", "grpc", "h2c", "http2"),
  ).toStrictEqual(["http1", "http1", "http2", "http2", "http2", "http2"]);
  expect(versionsOf(undefined, "https", "tcp", "HTTP", "toString")).toStrictEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("compileService(): what only the operator needs is not told", () => {
  const metadata = { name: "api", namespace: "shop" };
  const spec = { clusterIP: "10.0.0.1", selector: { app: "api" }, ports: [{ port: 80 }] };
  const parsed = parseKubeObject({ apiVersion: "v1", kind: "Service", metadata, spec });
  const service = parsed.kind === "refused" ? undefined : parseService(parsed.value);
  expect(service && Object.keys(compileService(service)).toSorted()).toStrictEqual([
    "addresses",
    "affinitySeconds",
    "algorithm",
    "distribution",
    "localOnly",
    "name",
    "namespace",
    "ports",
  ]);
});
