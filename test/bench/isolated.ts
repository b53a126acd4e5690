/** Runs what needs two nodes of namespaces: the calling program once more inside, with all tools there. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installCommand, providePackages } from "../packages.ts";
import { provideGoProgram } from "../world/go-program.ts";
import { isIsolated, prepareIsolated, runIsolated } from "../world/isolate.ts";

const TOOLS = {
  iptables: "iptables",
  ip: "iproute2",
  wrk: "wrk",
  nginx: "nginx-light",
  iperf3: "iperf3",
  openssl: "openssl",
};

export interface Bench {
  /** For what the programs write; gone afterwards. */
  readonly folder: string;
  readonly httpPort: number;
  readonly bulkPort: number;
  readonly fortioProgram: string;
}

/** Resolves with the exit code, which `work` gives inside. */
export async function isolated(work: (bench: Bench) => Promise<number>): Promise<number> {
  if (!isIsolated()) {
    const missing = providePackages(TOOLS);
    if (missing.length > 0) {
      console.error(`missing on this machine; install with: sudo ${installCommand(missing)}`);
      return 2;
    }
    await provideGoProgram("fortio");
    return runIsolated();
  }
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
  await prepareIsolated(() => process.exit(130));
  try {
    const fortioProgram = await provideGoProgram("fortio");
    return await work({ folder, httpPort: 8080, bulkPort: 5201, fortioProgram });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
