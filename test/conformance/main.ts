/**
 * `npm run conformance`: runs the official conformance suite of the Gateway API for meshes in a test cluster and
 * writes its report to docs/conformance/. `-- --test NAME` runs one test and writes no report there.
 */
import { mkdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installWeft } from "../cluster/install-weft.ts";
import { closeSharedCluster, openSharedCluster, sharedCluster } from "../cluster/shared-cluster.ts";
import { type ConformanceTest, runConformance } from "./run-suite.ts";

const ROOT = join(import.meta.dirname, "..", "..");

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { test: { type: "string" } } });
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
    readonly version: string;
  };
  const folder = values.test === undefined ? join(ROOT, "docs", "conformance") : tmpdir();
  const report = join(folder, `standard-v${version}-default-report.yaml`);
  try {
    await mkdir(folder, { recursive: true });
    await openSharedCluster();
    const cluster = sharedCluster();
    await installWeft(cluster);
    const only = values.test === undefined ? {} : { only: values.test };
    const run = await runConformance(cluster, { report, version: `v${version}`, ...only });
    return tell(run.tests, run.output);
  } finally {
    await closeSharedCluster();
  }
}

function tell(tests: readonly ConformanceTest[], output: string): number {
  const failed = tests.filter(({ outcome }) => outcome === "failed");
  for (const { output: text } of failed) {
    console.log(text);
  }
  for (const { name, outcome } of tests) {
    console.log(`${outcome} ${name}`);
  }
  if (tests.length === 0) {
    console.log(output);
  }
  console.log(`${tests.length - failed.length} passed, ${failed.length} failed`);
  return tests.length > 0 && failed.length === 0 ? 0 : 1;
}

process.exitCode = await main();
