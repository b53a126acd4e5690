/** Programs out of Debian's packages without installing these, since that would start services on the machine. */
import { runCommand, tryCommand } from "./cluster/command.ts";

export async function isOnPath(program: string): Promise<boolean> {
  return (await tryCommand(["sh", "-c", `command -v ${program}`])).code === 0;
}

/** What is in these packages into the folder, as it would lie under the root; nothing of what they depend on. */
export async function unpackDebian(packages: readonly string[], folder: string): Promise<void> {
  await download(packages, folder);
  const unpack = 'for each in *.deb; do dpkg-deb -x "$each" .; rm "$each"; done';
  await runCommand(["sh", "-ec", unpack], { cwd: folder });
}

/** A machine may never have asked which packages there are. */
async function download(packages: readonly string[], folder: string): Promise<void> {
  const command = ["apt-get", "download", ...packages];
  if ((await tryCommand(command, { cwd: folder })).code === 0) return;
  await tryCommand(["apt-get", "update"]);
  await runCommand(command, { cwd: folder });
}
