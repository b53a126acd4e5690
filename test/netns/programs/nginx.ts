/** nginx as an application: files, uploads, trailers and compression, over HTTP/1.1 and over HTTP/2 with prior knowledge. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findDebianProgram } from "../../debian-program.ts";
import type { ProgramMesh } from "../program-mesh.ts";

export interface NginxPorts {
  readonly http1: number;
  readonly http2: number;
}

/** With `page.txt` in the folder that it serves, and `/upload/` to put files at. */
export async function startNginx(
  world: ProgramMesh,
  page: string,
  ports: NginxPorts,
): Promise<void> {
  const nginx = await findDebianProgram({ name: "nginx", from: "nginx", path: "usr/sbin/nginx" });
  const folder = join(world.folder, "nginx");
  mkdirSync(join(folder, "files/upload"), { recursive: true });
  writeFileSync(join(folder, "files/page.txt"), page);
  writeFileSync(join(folder, "nginx.conf"), configOf(folder, ports));
  const { http1, http2 } = ports;
  await world.start(
    [nginx, "-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")],
    [http1, http2],
  );
}

function configOf(folder: string, { http1, http2 }: NginxPorts): string {
  const spools = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
user root;
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log ${folder}/access.log;
  ${spools.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n  ")}
  default_type text/plain;
  client_max_body_size 64m;
  keepalive_requests 100000;
  server {
    listen ${http1};
    listen ${http2} http2;
    root ${folder}/files;
    absolute_redirect off;
    location /page.txt { gzip on; gzip_types text/plain; }
    location /trailer/ { alias ${folder}/files/; add_trailer x-sum nginx; }
    location /upload/ { dav_methods PUT DELETE; }
    location /nothing { return 204; }
    location /moved { return 301 /page.txt; }
  }
}
`;
}
