/** The servers behind every target: nginx with 1 KB answers, as the peers were measured with, and fortio's for gRPC. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, startProgram } from "../world/program.ts";

const KILOBYTE = "0123456789abcdef".repeat(64);

export function startOrigin(folder: string, netns: string, port: number): Program {
  const file = join(folder, "nginx.conf");
  const server = `listen ${port} backlog=4096; location / { return 200 "${KILOBYTE}"; } location /busy { return 503; }`;
  const http = `access_log off; keepalive_requests 100000000; keepalive_timeout 600; server { ${server} }`;
  writeFileSync(
    file,
    `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log /dev/null;
events { worker_connections 20000; }
http { ${http} }
`,
  );
  return startProgram({
    name: "origin",
    command: ["nginx", "-c", file],
    netns,
    logFile: join(folder, "origin.log"),
  });
}

export interface GrpcOrigin {
  readonly folder: string;
  readonly netns: string;
  readonly port: number;
  /** Fortio's. */
  readonly program: string;
}

/** Answers unary calls of fortio's ping. */
export function startGrpcOrigin({ folder, netns, port, program }: GrpcOrigin): Program {
  const off = ["-http-port", "-tcp-port", "-udp-port", "-redirect-port"].map(
    (flag) => `${flag}=disabled`,
  );
  return startProgram({
    name: "gRPC origin",
    command: [program, "server", `-grpc-port=${port}`, ...off],
    netns,
    logFile: join(folder, "grpc-origin.log"),
  });
}
