/** A real ztunnel in each pod (its dedicated mode), certificates by its own test CA. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Program, startProgram } from "../world/program.ts";
import type { WorldPod } from "../world/world.ts";
import { redirectPods } from "./redirect.ts";
import type { BenchSetting, BenchTarget } from "./target.ts";

export function ztunnelTarget(binary: string): BenchTarget {
  return {
    name: "ztunnel",
    async start(setting) {
      const folder = mkdtempSync(join(setting.folder, "ztunnel-"));
      const configuration = join(folder, "workloads.yaml");
      writeFileSync(configuration, stringify(workloads(setting)));
      redirectPods(setting, setting.server.address);
      const programs = [setting.client, setting.server].map((pod) =>
        startZtunnel({ binary, folder, configuration, pod }),
      );
      return {
        programs,
        async close() {
          await Promise.all(programs.map((program) => program.stop("SIGKILL")));
        },
      };
    },
  };
}

function workloads({ client, server }: BenchSetting): object {
  const list = [client, server].map((pod) => ({
    uid: `cluster1//v1/Pod/${pod.namespace}/${pod.name}`,
    name: pod.name,
    namespace: pod.namespace,
    serviceAccount: pod.serviceAccount,
    workloadIps: [pod.address],
    protocol: "HBONE",
    node: pod.node,
    network: "",
    trustDomain: "cluster.local",
    services: {},
  }));
  return { workloads: list, policies: [], services: [] };
}

interface Start {
  readonly binary: string;
  readonly folder: string;
  readonly configuration: string;
  readonly pod: WorldPod;
}

function startZtunnel({ binary, folder, configuration, pod }: Start): Program {
  return startProgram({
    name: `ztunnel of ${pod.name}`,
    command: [binary],
    netns: pod.netns,
    // Standard output holds its access log.
    logFile: join(folder, `${pod.name}.log`),
    env: {
      FAKE_CA: "true",
      XDS_ADDRESS: "",
      LOCAL_XDS_PATH: configuration,
      PROXY_MODE: "dedicated",
      PROXY_WORKLOAD_INFO: `${pod.namespace}/${pod.name}/${pod.serviceAccount}`,
      INSTANCE_IP: pod.address,
      NODE_NAME: pod.node,
      ZTUNNEL_WORKER_THREADS: "1",
      RUST_LOG: "error,access=info",
      PACKET_MARK: "1337",
      ENABLE_ORIG_SRC: "true",
      IPV6_ENABLED: "false",
    },
  });
}
