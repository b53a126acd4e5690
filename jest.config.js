// One project a tier; `test/run.ts` chooses among them. The `.ts` sources are stripped of their
// types by swc and run as ES modules, as Node itself runs them.
const common = {
  testEnvironment: "node",
  extensionsToTreatAsEsm: [".ts"],
  transform: { "^.+\\.ts$": ["@swc/jest", { jsc: { target: "es2024", parser: { syntax: "typescript" } }, module: { type: "es6" } }] },
  modulePathIgnorePatterns: ["<rootDir>/core/wire/gen/.*\\.js$"],
};

function tier(displayName, testMatch) {
  return { ...common, displayName, testMatch: testMatch.map((glob) => `<rootDir>/${glob}`) };
}

// A file without tests, or with skipped ones, fails: where there is no ztunnel the file is none.
const withoutPeer = process.env.WEFT_PEER_ZTUNNEL ? [] : ["/interop[^/]*\\.test\\.ts$"];

export default {
  maxWorkers: 2,
  // For what hangs: nothing that works may fail for its slowness, with twenty others at the machine's two cores.
  testTimeout: 300_000,
  projects: [
    tier("unit", ["core/**/*.test.ts", "operator/**/*.test.ts", "nodeproxy/**/*.test.ts", "cli/**/*.test.ts", "test/*.test.ts"]),
    tier("mesh", ["test/mesh/**/*.test.ts"]),
    { ...tier("netns", ["test/netns/**/*.test.ts"]), testPathIgnorePatterns: withoutPeer },
    tier("cluster", ["test/cluster/**/*.test.ts"]),
  ],
};
