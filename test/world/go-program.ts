/** A program of somebody else's from its Go module, in the versions of the go.mod in its folder: built once into the cache folder. */
import { readFile } from "node:fs/promises";
import { arch } from "node:os";
import { join } from "node:path";
import { cached, hashOf } from "../cluster/build-cache.ts";
import { runCommand } from "../cluster/command.ts";
import { findGo } from "../cluster/find-go.ts";

const PACKAGES = {
  fortio: ["go-tools", "fortio.org/fortio"],
  h2spec: ["go-tools", "github.com/summerwind/h2spec/cmd/h2spec"],
  ratelimit: ["go-ratelimit", "github.com/envoyproxy/ratelimit/src/service_cmd"],
} as const;

/** Path of the program; throws with the command that failed. */
export async function provideGoProgram(name: keyof typeof PACKAGES): Promise<string> {
  const [folder, main] = PACKAGES[name];
  const source = join(import.meta.dirname, folder);
  const files = ["go.mod", "go.sum"].map(async (file) => readFile(join(source, file)));
  const inputs = await Promise.all(files);
  return cached(`${name}-${hashOf([arch(), ...inputs])}`, async (path) => {
    const build = ["build", "-trimpath", "-ldflags", "-s -w", "-o", path, main];
    // The newest that any of them asks for: Go must not have to fetch another by itself.
    await runCommand([await findGo(27), ...build], { cwd: source, env: { CGO_ENABLED: "0" } });
  });
}
