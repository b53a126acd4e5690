/** `kubectl apply -k deploy` against the real API server, and the rendered file beside it. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { createNamespace } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const ROOT = join(import.meta.dirname, "..", "..");
const DEPLOY = join(ROOT, "deploy");
const CRDS = join(ROOT, "crds");

test("deploy/weft.yaml is what the kustomization renders", async () => {
  const rendered = await cluster.kubectl(["kustomize", DEPLOY]);
  const file = join(DEPLOY, "weft.yaml");
  if (process.env["UPDATE_GOLDEN"] === "1") {
    await writeFile(file, rendered);
  }
  expect(await readFile(file, "utf8")).toBe(rendered);
});

test("the gate's image is the operator's and the node proxy's", async () => {
  const rendered = await readFile(join(DEPLOY, "weft.yaml"), "utf8");
  const images = [...rendered.matchAll(/image: (\S+)|name: WEFT_IMAGE\n\s+value: (\S+)/g)];
  expect(images).toHaveLength(3);
  expect(new Set(images.map(([, image, gate]) => image ?? gate)).size).toBe(1);
});

test("the CRDs become Established", async () => {
  await cluster.kubectl(["apply", "-k", CRDS]);
  const names = await cluster.kubectl(["get", "crd", "-o", "name"]);
  const ours = names.split("\n").filter((name) => name.endsWith(".weft.dev"));
  const wait = ["wait", "--for=condition=Established", "--timeout=240s"];
  const established = await cluster.kubectl([...wait, ...ours]);
  expect(established.match(/condition met/g)).toHaveLength(ours.length);
});

test("every object passes the server's own validation", async () => {
  // The namespace has to be there for what lies in it, also in a dry run.
  await cluster.kubectl(["apply", "-f", join(DEPLOY, "namespace.yaml")]);
  const applied = await cluster.kubectl([
    "apply",
    "--server-side",
    "--dry-run=server",
    "--validate=strict",
    "--force-conflicts",
    `--filename=${join(DEPLOY, "weft.yaml")}`,
  ]);
  const objects = parseAllDocuments(await readFile(join(DEPLOY, "weft.yaml"), "utf8"));
  expect(applied.trim().split("\n")).toHaveLength(objects.length);
});

test("the node proxy's account may do nothing at the API server", async () => {
  await cluster.kubectl(["apply", "-k", DEPLOY]);
  const account = "system:serviceaccount:weft-system:weft-node-proxy";
  for (const [verb, resource] of [
    ["get", "pods"],
    ["list", "secrets"],
    ["get", "configmaps"],
  ]) {
    const may = await cluster.tryKubectl([
      "auth",
      "can-i",
      `${verb}`,
      `${resource}`,
      `--as=${account}`,
      "-A",
    ]);
    expect(may.stdout.trim()).toBe("no");
  }
});

test("every YAML block of the documentation is accepted, by the webhook too", async () => {
  await installWeft(cluster);
  const docs = (await readdir(join(ROOT, "docs"))).filter((name) => name.endsWith(".md"));
  const files = ["README.md", ...docs.map((name) => join("docs", name))];
  const texts = await Promise.all(files.map((file) => readFile(join(ROOT, file), "utf8")));
  const blocks = texts.flatMap((text) => [...text.matchAll(/```yaml\n([\s\S]*?)```/g)]);
  // Routes are the Gateway API's, whose CRDs come with the conformance suite: the tests of their pages read them.
  const objects = parseAllDocuments(blocks.map(([, block = ""]) => block).join("\n---\n")).filter(
    (object) => !String(object.get("apiVersion")).startsWith("gateway."),
  );
  const yaml = objects.map(String).join("\n---\n");
  const namespaces = new Set(objects.map((object) => object.getIn(["metadata", "namespace"])));
  for (const name of namespaces) {
    if (typeof name === "string") await createNamespace(cluster, name);
  }
  const flags = ["--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts"];
  const applied = await cluster.kubectl(["apply", ...flags, "-f", "-"], yaml);
  expect(applied.trim().split("\n")).toHaveLength(objects.length);
});
