/** Where fortio is: on the path, or built once from its Go module into the cache folder. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const MODULE = "fortio.org/fortio@v1.66.0";

/** Path of the program; throws with the command that failed. */
export function provideFortio(): string {
  const folder = join(process.env["WEFT_CACHE"] ?? join(homedir(), ".cache/weft"), "bin");
  const program = join(folder, "fortio");
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const env = { ...process.env, GOBIN: folder, CGO_ENABLED: "0" };
  const done = spawnSync("go", ["install", MODULE], { env, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`go install ${MODULE}: ${done.stderr || done.error}`);
  return program;
}
