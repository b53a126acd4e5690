/** The server behind every target of the layer-4 bench: nginx with 1 KB answers, as the peers were measured with. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, startProgram } from "../world/program.ts";

const KILOBYTE = "0123456789abcdef".repeat(64);

export function startOrigin(folder: string, netns: string, port: number): Program {
  const file = join(folder, "nginx.conf");
  const server = `listen ${port} backlog=4096; location / { return 200 "${KILOBYTE}"; }`;
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
