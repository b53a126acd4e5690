/** A real Envoy in each pod, as HTTP proxy on both hops. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { envoyHttpClient, envoyHttpServer } from "./envoy-http-configuration.ts";
import { makeCertificates, startEnvoy } from "./envoy-target.ts";
import type { HttpTarget } from "./http-target.ts";
import { redirectPods } from "./redirect.ts";

export function envoyHttpTarget(binary: string): HttpTarget {
  return {
    name: "envoy",
    start(setting) {
      const folder = mkdtempSync(join(setting.folder, "envoy-"));
      const files = makeCertificates(folder);
      redirectPods(setting, setting.serviceAddress);
      const client = join(folder, "client.json");
      const server = join(folder, "server.json");
      writeFileSync(client, JSON.stringify(envoyHttpClient(setting, files)));
      writeFileSync(server, JSON.stringify(envoyHttpServer(setting, files)));
      const programs = [
        startEnvoy({ binary, configuration: client, netns: setting.client.netns, baseId: 1 }),
        startEnvoy({ binary, configuration: server, netns: setting.server.netns, baseId: 2 }),
      ];
      return Promise.resolve({
        programs,
        async close() {
          await Promise.all(programs.map((program) => program.stop("SIGKILL")));
        },
      });
    },
  };
}
