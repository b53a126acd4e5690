/** A program from its Go module: built once into the cache folder. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "../cluster/build-cache.ts";
import { runCommand } from "../cluster/command.ts";
import { findGo } from "../cluster/find-go.ts";

const GO_MODULES = {
  fortio: "fortio.org/fortio@v1.66.0",
  h2spec: "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible",
} as const;

/** Path of the program; throws with the command that failed. */
export async function provideGoProgram(name: keyof typeof GO_MODULES): Promise<string> {
  const [, version = ""] = GO_MODULES[name].split("@");
  const folder = await cached(`${name}-${version}`, async (path) => {
    await mkdir(path, { recursive: true });
    const env = { GOBIN: path, CGO_ENABLED: "0" };
    await runCommand([await findGo(), "install", GO_MODULES[name]], { env });
  });
  return join(folder, name);
}
