/** A program from its Go module: built once into the cache folder, with the Go of this machine. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const GO_MODULES = {
  fortio: "fortio.org/fortio@v1.66.0",
  h2spec: "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible",
} as const;

/** Path of the program; throws with the command that failed. */
export function provideGoProgram(name: keyof typeof GO_MODULES): string {
  const folder = join(process.env["WEFT_CACHE"] ?? join(homedir(), ".cache/weft"), "bin");
  const program = join(folder, name);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const env = { ...process.env, GOBIN: folder, CGO_ENABLED: "0" };
  const done = spawnSync("go", ["install", GO_MODULES[name]], { env, encoding: "utf8" });
  if (done.status !== 0) {
    throw new Error(`go install ${GO_MODULES[name]}: ${done.stderr || done.error}`);
  }
  return program;
}
