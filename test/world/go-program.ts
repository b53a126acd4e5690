/** A program of somebody else's from its Go module, in the versions of go-tools/go.mod: built once into the cache folder. */
import { readFile } from "node:fs/promises";
import { arch } from "node:os";
import { join } from "node:path";
import { cached, hashOf } from "../cluster/build-cache.ts";
import { runCommand } from "../cluster/command.ts";
import { findGo } from "../cluster/find-go.ts";

const SOURCE = join(import.meta.dirname, "go-tools");
const PACKAGES = {
  fortio: "fortio.org/fortio",
  h2spec: "github.com/summerwind/h2spec/cmd/h2spec",
} as const;

/** Path of the program; throws with the command that failed. */
export async function provideGoProgram(name: keyof typeof PACKAGES): Promise<string> {
  const files = ["go.mod", "go.sum"].map(async (file) => readFile(join(SOURCE, file)));
  const inputs = await Promise.all(files);
  return cached(`${name}-${hashOf([arch(), ...inputs])}`, async (path) => {
    const build = ["build", "-trimpath", "-ldflags", "-s -w", "-o", path, PACKAGES[name]];
    await runCommand([await findGo(), ...build], { cwd: SOURCE, env: { CGO_ENABLED: "0" } });
  });
}
