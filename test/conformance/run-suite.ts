/** Runs the official conformance suite for meshes against an installed mesh, and reads what it says of each test. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster } from "../cluster/cluster.ts";
import { tryCommand } from "../cluster/command.ts";
import { buildConformanceSuite } from "./suite-build.ts";

/** Every extended feature of the mesh profiles. */
const MESH_FEATURES = [
  "MeshClusterIPMatching",
  "MeshConsumerRoute",
  "MeshHTTPRouteBackendRequestHeaderModification",
  "MeshHTTPRouteNamedRouteRule",
  "MeshHTTPRouteQueryParamMatching",
  "MeshHTTPRouteRedirectPath",
  "MeshHTTPRouteRedirectPort",
  "MeshHTTPRouteRewritePath",
  "MeshHTTPRouteSchemeRedirect",
];
/** Belong to no mesh profile, but the suite leaves out tests for meshes that need one which is not named. */
const FEATURES_OF_MESH_TESTS = [
  "HTTPRoute303RedirectStatusCode",
  "HTTPRoute307RedirectStatusCode",
  "HTTPRoute308RedirectStatusCode",
  "HTTPRouteParentRefPort",
  "HTTPRouteResponseHeaderModification",
];
const IMPLEMENTATION = {
  organization: "weft-mesh",
  project: "weft",
  url: "https://github.com/weft-mesh/weft",
  contact: "@weft-mesh/maintainers",
};

export interface ConformanceTest {
  readonly name: string;
  readonly outcome: "passed" | "failed";
  /** What the suite printed from its begin to its end. */
  readonly output: string;
}

export interface ConformanceRun {
  /** Of those that are for meshes; the suite leaves out the others. */
  readonly tests: readonly ConformanceTest[];
  /** All that the suite printed. */
  readonly output: string;
}

export interface ConformanceOptions {
  /** Where the suite writes its report. */
  readonly report: string;
  /** As the report names it: a semantic version. */
  readonly version: string;
  /** One test by its name; all where absent. */
  readonly only?: string;
}

/** Installs the suite's kinds and image, and returns once all its tests are done. */
export async function runConformance(
  cluster: Cluster,
  options: ConformanceOptions,
): Promise<ConformanceRun> {
  const suite = await buildConformanceSuite();
  await cluster.loadImage(suite.echoImage);
  // The kinds are larger than what `kubectl apply` may write into an annotation.
  await cluster.kubectl(["apply", "--server-side", "-f", suite.kinds]);
  await cluster.kubectl(["wait", "--for=condition=Established", "--timeout=240s", "crd", "--all"]);
  // Straight into a file, which can be followed while the suite runs; its exit code says no more than the file.
  const log = join(cluster.dir, "log", "conformance.log");
  const intoLog = ["sh", "-c", 'exec "$@" >"$0" 2>&1', log, suite.program];
  await tryCommand([...intoLog, ...suiteFlags(options)], {
    cwd: cluster.dir,
    env: { KUBECONFIG: cluster.kubeconfig },
  });
  const output = await readFile(log, "utf8");
  return { tests: readTests(output), output };
}

function suiteFlags({ report, version, only }: ConformanceOptions): readonly string[] {
  const told = Object.entries({ ...IMPLEMENTATION, version });
  return [
    "-test.run=^TestConformance$",
    "-test.v",
    "-test.timeout=60m",
    "-conformance-profiles=MESH-HTTP,MESH-GRPC",
    `-supported-features=${[...MESH_FEATURES, ...FEATURES_OF_MESH_TESTS].join(",")}`,
    "-namespace-labels=weft.dev/mesh=enabled",
    `-report-output=${report}`,
    ...told.map(([name, value]) => `-${name}=${value}`),
    ...(only === undefined ? [] : [`-run-test=${only}`]),
  ];
}

/** `go test -v` prints the ends of all tests after the last one, indented by four blanks each level. */
function readTests(output: string): readonly ConformanceTest[] {
  const ends = output.matchAll(/^ {4}--- (PASS|FAIL): TestConformance\/(\w+) \(/gm);
  return [...ends].map(([, end, name = ""]) => ({
    name,
    outcome: end === "PASS" ? "passed" : "failed",
    output: outputOf(output, name),
  }));
}

function outputOf(output: string, name: string): string {
  const begin = output.indexOf(`=== RUN   TestConformance/${name}\n`);
  const next = output.slice(begin + 1).search(/^=== RUN {3}TestConformance\/\w+$/m);
  return output.slice(begin, next < 0 ? undefined : begin + 1 + next);
}
