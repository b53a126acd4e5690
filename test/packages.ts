/**
 * Which programs this machine lacks and the Debian packages that bring them; installs them where it may.
 *
 * `npm test` and `npm run demo` ask it. It never removes or upgrades anything.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs and the Debian packages that bring them. */
export type Tools = Readonly<Record<string, string>>;

/** Names of packages whose programs are still missing, after trying apt as root on Debian or Ubuntu. */
export function providePackages(tools: Tools): readonly string[] {
  // Distributions keep `iptables` and `ip` from ordinary users' paths.
  process.env["PATH"] = [...pathFolders(), "/usr/sbin", "/sbin"].join(delimiter);
  const missing = missingPackages(tools);
  const canInstall = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  if (missing.length === 0 || !canInstall) return missing;
  process.stderr.write(`installing what is missing: ${installCommand(missing)}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", ["update", "-qq"], { env, stdio: ["ignore", 2, 2] });
  spawnSync("apt-get", ["install", "-y", "-qq", ...missing], { env, stdio: ["ignore", 2, 2] });
  return missingPackages(tools);
}

/** What a person types to install them. */
export function installCommand(packages: readonly string[]): string {
  return `apt-get install -y ${packages.join(" ")}`;
}

function missingPackages(tools: Tools): string[] {
  const absent = Object.entries(tools).filter(([program]) => !isOnPath(program));
  return [...new Set(absent.map(([, name]) => name))].sort();
}

function isOnPath(program: string): boolean {
  return pathFolders().some((folder) => existsSync(join(folder, program)));
}

function pathFolders(): string[] {
  return (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
}
