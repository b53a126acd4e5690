/** Weft as it is installed, with a Service whose ports are HTTP and gRPC. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { type NodeProxyExtras, startMesh } from "../world/mesh.ts";
import type { HttpSetting, HttpTarget } from "./http-target.ts";
import { killTrees } from "./process-cost.ts";

/** `extras` are of each node proxy. */
export function weftHttpTarget(extras: NodeProxyExtras = {}): HttpTarget {
  return {
    name: "weft",
    async start(setting) {
      const { world, folder } = setting;
      const mesh = await startMesh(world, {
        folder: mkdtempSync(join(folder, "weft-")),
        services: [],
        objects: serviceObjects(setting),
        nodeProxy: extras,
      });
      return {
        programs: mesh.nodeProxies,
        async close() {
          killTrees(mesh.nodeProxies.map(({ child }) => child.pid ?? 0));
          await mesh.close();
        },
      };
    },
  };
}

function serviceObjects(setting: HttpSetting): readonly object[] {
  const { server, serviceAddress, httpPort, grpcPort } = setting;
  const metadata = { name: "server", namespace: server.namespace };
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        clusterIP: serviceAddress,
        clusterIPs: [serviceAddress],
        selector: server.labels,
        ports: [
          { name: "http", port: httpPort, protocol: "TCP", appProtocol: "http" },
          { name: "grpc", port: grpcPort, protocol: "TCP", appProtocol: "grpc" },
        ],
      },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...metadata, labels: { "kubernetes.io/service-name": "server" } },
      addressType: "IPv4",
      ports: [
        { name: "http", port: httpPort, protocol: "TCP" },
        { name: "grpc", port: grpcPort, protocol: "TCP" },
      ],
      endpoints: [
        {
          addresses: [server.address],
          conditions: { ready: true },
          nodeName: server.node,
          targetRef: {
            kind: "Pod",
            name: server.name,
            namespace: server.namespace,
            uid: server.uid,
          },
        },
      ],
    },
    ALLOW,
  ];
}

/** What makes the server's ports HTTP there as well, and what Envoy's RBAC says beside it. */
const ALLOW = {
  apiVersion: "weft.dev/v1",
  kind: "AuthorizationPolicy",
  metadata: { name: "callers", namespace: "bench" },
  spec: {
    action: "ALLOW",
    rules: [
      {
        from: [{ source: { principals: ["cluster.local/ns/bench/sa/client"] } }],
        to: [{ operation: { methods: ["GET", "POST"] } }],
      },
    ],
  },
};
