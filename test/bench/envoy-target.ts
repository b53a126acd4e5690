/** A real Envoy in each pod: TCP over mutual TLS 1.3, access log to a file, the caller's address preserved. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, startProgram } from "../world/program.ts";
import { type EnvoyFiles, envoyClient, envoyServer } from "./envoy-configuration.ts";
import { redirectPods } from "./redirect.ts";
import type { BenchTarget } from "./target.ts";

export function envoyTarget(binary: string): BenchTarget {
  return {
    name: "envoy",
    async start(setting) {
      const folder = mkdtempSync(join(setting.folder, "envoy-"));
      const files = makeCertificates(folder);
      redirectPods(setting, setting.server.address);
      const client = join(folder, "client.json");
      const server = join(folder, "server.json");
      writeFileSync(client, JSON.stringify(envoyClient(setting, files)));
      writeFileSync(server, JSON.stringify(envoyServer(setting, files)));
      const programs: Program[] = [
        startEnvoy({ binary, configuration: client, netns: setting.client.netns, baseId: 1 }),
        startEnvoy({ binary, configuration: server, netns: setting.server.netns, baseId: 2 }),
      ];
      return {
        programs,
        async close() {
          await Promise.all(programs.map((program) => program.stop("SIGKILL")));
        },
      };
    },
  };
}

interface EnvoyStart {
  readonly binary: string;
  readonly configuration: string;
  readonly netns: string;
  /** Two Envoys on one machine share memory by this number. */
  readonly baseId: number;
}

export function startEnvoy({ binary, configuration, netns, baseId }: EnvoyStart): Program {
  return startProgram({
    name: `envoy ${baseId}`,
    command: [
      binary,
      "-c",
      configuration,
      "--concurrency",
      "1",
      "-l",
      "error",
      "--base-id",
      String(baseId),
    ],
    netns,
    logFile: `${configuration}.log`,
  });
}

/** A CA and one leaf that both sides present: ECDSA P-256, as weft's are. */
export function makeCertificates(folder: string): EnvoyFiles {
  const ca = join(folder, "ca.pem");
  const caKey = join(folder, "ca.key");
  const key = join(folder, "leaf.key");
  const certificate = join(folder, "leaf.pem");
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl(["req", "-x509", ...curve, "-keyout", caKey, "-out", ca, "-subj", "/CN=bench"]);
  const signed = ["-CA", ca, "-CAkey", caKey];
  const name = ["-addext", "subjectAltName=URI:spiffe://cluster.local/ns/a/sa/b"];
  const out = ["-keyout", key, "-out", certificate, "-subj", "/CN=leaf"];
  openssl(["req", "-x509", ...curve, ...out, ...signed, ...name]);
  return { ca, key, certificate, accessLog: join(folder, "access.log") };
}

function openssl(args: readonly string[]): void {
  const done = spawnSync("openssl", args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`openssl ${args.join(" ")}: ${done.stderr}`);
}
