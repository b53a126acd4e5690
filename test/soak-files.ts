/** Which test files of a tier have a full size: those that import `soak.ts`, themselves or through others. */
import { spawnSync } from "node:child_process";

/** `patterns`: parts of paths, one of which must be there; none: all of them. */
export function listSoakFiles(tier: string, patterns: readonly string[]): readonly string[] {
  const jest = ["--experimental-vm-modules", "--no-warnings", "node_modules/jest/bin/jest.js"];
  const related = ["--listTests", "--json", "--findRelatedTests", "test/soak.ts"];
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [...jest, "--selectProjects", tier, ...related],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`jest cannot list the tests of ${tier}: ${stderr}`);
  const files = JSON.parse(stdout) as readonly string[];
  return files
    .filter((file) => patterns.length === 0 || patterns.some((part) => file.includes(part)))
    .toSorted();
}
