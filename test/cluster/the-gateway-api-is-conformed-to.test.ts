/**
 * The official conformance suite of the Gateway API for meshes, all extended features of its profiles, as `npm run
 * conformance` runs it: each of its tests counts by itself. Its report goes nowhere.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type ConformanceTest, runConformance } from "../conformance/run-suite.ts";
import { buildConformanceSuite } from "../conformance/suite-build.ts";
import { installWeft } from "./install-weft.ts";
import { sharedCluster } from "./shared-cluster.ts";

/** Those that v1.7.0 has for meshes. */
const TESTS = [
  "MeshBasic",
  "MeshConsumerRoute",
  "MeshFrontend",
  "MeshFrontendHostname",
  "MeshGRPCRouteRequestHeaderModifier",
  "MeshGRPCRouteWeight",
  "MeshHTTPRoute303Redirect",
  "MeshHTTPRoute307Redirect",
  "MeshHTTPRoute308Redirect",
  "MeshHTTPRouteBackendRequestHeaderModifier",
  "MeshHTTPRouteMatching",
  "MeshHTTPRouteNamedRule",
  "MeshHTTPRouteQueryParamMatching",
  "MeshHTTPRouteRedirectHostAndStatus",
  "MeshHTTPRouteRedirectPath",
  "MeshHTTPRouteRedirectPort",
  "MeshHTTPRouteRequestHeaderModifier",
  "MeshHTTPRouteRewritePath",
  "MeshHTTPRouteSchemeRedirect",
  "MeshHTTPRouteSimpleSameNamespace",
  "MeshHTTPRouteWeight",
  "MeshPorts",
  "MeshTrafficSplit",
];
/** Go builds the suite and its image from an empty cache in some minutes; the suite itself takes two. */
const LIMIT_MS = 25 * 60_000;

const cluster = sharedCluster();
let work: string;
let done: readonly ConformanceTest[] = [];
let printed = "";

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "weft-conformance-"));
  await installWeft(cluster);
  const run = await runConformance(cluster, {
    report: join(work, "report.yaml"),
    version: "v0.0.0",
  });
  ({ tests: done, output: printed } = run);
}, LIMIT_MS);

/** The cluster is others' too, and they know nothing of these kinds. */
afterAll(async () => {
  await rm(work, { recursive: true });
  const { kinds } = await buildConformanceSuite();
  await cluster.kubectl(["delete", "--ignore-not-found", "-f", kinds]);
}, LIMIT_MS);

test("the suite runs the tests that it has for meshes, and no other", () => {
  expect(done.map(({ name }) => name).toSorted()).toEqual(done.length > 0 ? TESTS : printed);
});

test.each(TESTS)("Gateway API: %s", (name) => {
  const { outcome, output } = done.find((ended) => ended.name === name) ?? {};
  expect(outcome === "passed" ? outcome : output).toBe("passed");
});
