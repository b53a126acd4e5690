/**
 * The programs of this machine that the cluster tier needs: installed with apt where we are root on
 * Debian or Ubuntu, otherwise named in one error with the command that brings them.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runCommand, tryCommand } from "./command.ts";

/** Package by the file that proves it is there. */
const PACKAGES: ReadonlyMap<string, string> = new Map([
  ["containerd", "containerd"],
  ["runc", "runc"],
  ["/usr/lib/cni/bridge", "containernetworking-plugins"],
  ["iptables", "iptables"],
  ["ip", "iproute2"],
  ["nsenter", "util-linux"],
  ["mmdebstrap", "mmdebstrap"],
  ["buildah", "buildah"],
  ["openssl", "openssl"],
  ["tcpdump", "tcpdump"],
]);

export async function ensureHostPackages(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Error("the test cluster makes namespaces and mounts: run it as root");
  }
  const missing = findMissing();
  if (missing.length === 0) {
    return;
  }
  const install = ["apt-get", "install", "-y", "--no-install-recommends", ...missing];
  if ((await tryCommand(["apt-get", "--version"])).code !== 0) {
    throw new Error(`missing here: ${missing.join(" ")}; on Debian: ${install.join(" ")}`);
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await runCommand(["apt-get", "update"], { env });
  await runCommand(install, { env });
}

function findMissing(): readonly string[] {
  const folders = (process.env["PATH"] ?? "").split(":").concat("/usr/sbin", "/sbin");
  return [...PACKAGES]
    .filter(
      ([file]) =>
        !folders.some((folder) => existsSync(file.startsWith("/") ? file : join(folder, file))),
    )
    .map(([, name]) => name);
}
