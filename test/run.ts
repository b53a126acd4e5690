/**
 * `npm test`: runs every tier that this machine can, says what it left out and why, and ends with
 * `N passed, N failed` (`, N skipped`) alone on the last line. Exit 0 only if nothing failed.
 *
 * `node test/run.ts mesh netns` runs those tiers only; words after a tier that are none pick test files of
 * it by their path. With WEFT_REQUIRE_ALL=1 a tier that cannot run and a test that skips itself are failures.
 * With WEFT_SOAK=1 (`npm run test:soak`) only files that have a full size are run, at that, one after the other.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sized } from "./soak.ts";
import { listSoakFiles } from "./soak-files.ts";
import { TIERS, type Tier, whyNot } from "./tiers.ts";

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface JestSummary {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

const requireAll = process.env["WEFT_REQUIRE_ALL"] === "1";
const isSoak = sized(false, true);
const words = process.argv.slice(2);
const wanted = words.filter((word) => TIERS.some((tier) => tier.name === word));
const patterns = words.filter((word) => !wanted.includes(word));
if (!isSoak && wanted.length === 0 && patterns.length > 0) {
  console.error(
    `no such tier: ${patterns.join(", ")}; there are ${TIERS.map((t) => t.name).join(", ")}`,
  );
  process.exit(2);
}

const counts: Count[] = [];
for (const tier of TIERS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  counts.push(await runTier(tier));
}
const passed = sum((count) => count.passed);
const skipped = sum((count) => count.skipped);
const isSilent = isSoak && passed === 0;
const failed = sum((count) => count.failed) + (requireAll ? skipped : 0) + (isSilent ? 1 : 0);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed === 0 ? 0 : 1);

function sum(of: (count: Count) => number): number {
  return counts.reduce((total, count) => total + of(count), 0);
}

async function runTier(tier: Tier): Promise<Count> {
  const picked = isSoak ? listSoakFiles(tier.name, patterns) : patterns;
  if (isSoak && picked.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const reasons = whyNot(tier);
  if (reasons.length > 0) {
    console.error(`tier ${tier.name} is left out: ${reasons.join("; ")}`);
    return { passed: 0, failed: requireAll ? 1 : 0, skipped: requireAll ? 0 : 1 };
  }
  const started = Date.now();
  const count =
    tier.name === "cluster" ? await runInCluster(tier, picked) : await runJest(tier, picked);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.error(
    `tier ${tier.name}: ${count.passed} passed, ${count.failed} failed in ${seconds} s`,
  );
  return count;
}

/** The one cluster that all files of the tier share; a boot or a build that fails fails the tier. */
async function runInCluster(tier: Tier, picked: readonly string[]): Promise<Count> {
  const { openSharedCluster, closeSharedCluster } = await import("./cluster/shared-cluster.ts");
  try {
    await openSharedCluster();
    return await runJest(tier, picked);
  } catch (error) {
    console.error(error);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    await closeSharedCluster();
  }
}

/** `picked`: whole paths in a soak, else parts of some. */
async function runJest(tier: Tier, picked: readonly string[]): Promise<Count> {
  const folder = mkdtempSync(join(tmpdir(), "weft-test-"));
  const outputFile = join(folder, "summary.json");
  const jest = ["--experimental-vm-modules", "--no-warnings", "node_modules/jest/bin/jest.js"];
  const options = ["--selectProjects", tier.name, "--json", `--outputFile=${outputFile}`];
  const soak = isSoak ? ["--runInBand", "--runTestsByPath"] : [];
  const args = [...jest, ...options, ...tier.jestOptions, ...soak, ...picked];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    return readCount(outputFile, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A tier whose runner died, or that ran no test at all, has failed whatever it says. */
function readCount(outputFile: string, code: number | null): Count {
  let summary: JestSummary;
  try {
    summary = JSON.parse(readFileSync(outputFile, "utf8")) as JestSummary;
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const failed = summary.numFailedTests + summary.numRuntimeErrorTestSuites;
  const isSilentFailure = failed === 0 && (code !== 0 || summary.numPassedTests === 0);
  return {
    passed: summary.numPassedTests,
    failed: isSilentFailure ? 1 : failed,
    skipped: summary.numPendingTests + summary.numTodoTests,
  };
}
