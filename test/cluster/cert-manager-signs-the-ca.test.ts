/**
 * The mesh's intermediate by cert-manager's real CustomResourceDefinition and an issuer of the test's own: the first CA
 * is waited for, refusals are told, a rotation asks for the next, and takes every node to another root of the issuer.
 */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { parseCertificatesPem } from "../../core/x509/pem.ts";
import { CertificateSigner } from "../fakes/certificate-signer.ts";
import { until } from "../world/until.ts";
import { startIssuer, type TestIssuer } from "./cert-manager/start-issuer.ts";
import { call, createNamespace, deployEcho, type Echo } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { enforce, untilCaptured } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "corporate";
const CRD = join(import.meta.dirname, "cert-manager", "certificate-requests.yaml");
/** A ConfigMap reaches the node proxies' files within some 90 s; a node then asks for its leaves. */
const FOLLOW_MS = 240_000;
let issuer: TestIssuer;
let api: Echo;
let caller: Echo;
/** `data` of the Secret as it was before. */
let before: Readonly<Record<string, string>>;

beforeAll(async () => {
  await installWeft(cluster);
  await cluster.kubectl(["apply", "--server-side", "-f", CRD]);
  const crd = "crd/certificaterequests.cert-manager.io";
  await cluster.kubectl(["wait", "--for=condition=Established", "--timeout=240s", crd]);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  api = await deployEcho(cluster, { namespace: NAMESPACE, name: "api", node: "node2" });
  caller = await deployEcho(cluster, { namespace: NAMESPACE, name: "caller", node: "node1" });
  await untilCaptured(cluster, [...api.pods, ...caller.pods]);
  before = await secretData();
  issuer = startIssuer(cluster, "corporate");
});

afterAll(async () => {
  await issuer.close();
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
  await cluster.kubectl(["delete", "meshconfig", "default", "--ignore-not-found"]);
  await cluster.kubectl(["delete", "carotations", "--all"]);
  await scaleOperator(0);
  await putSecret(before);
  await scaleOperator(2);
  await cluster.kubectl(["delete", "-f", CRD]);
  await untilLeavesAreOf(decode(before["tls.crt"]));
}, 600_000);

test("without a CA the operator waits for the issuer's, tells refusals, and serves under its root", async () => {
  await enforce(cluster, {
    apiVersion: "weft.dev/v1",
    kind: "MeshConfig",
    metadata: { name: "default" },
    spec: { certificates: { issuerRef: { name: "corporate" } } },
  });
  await scaleOperator(0);
  await cluster.kubectl(["-n", "weft-system", "delete", "secret", "weft-ca"]);
  await startOperator();
  await until(
    "requests",
    async () => ((await requests()).length === 2 ? true : undefined),
    240_000,
  );
  const logs = ["-n", "weft-system", "logs", "-l", "app=weft-operator", "--tail=-1"];
  expect(await cluster.kubectl(logs)).toContain("waiting for cert-manager");
  expect(await hasSecret()).toBe(false);

  issuer.temper = "deny";
  await untilEvent("IntermediateDenied");
  issuer.temper = "strange";
  await untilEvent("IntermediateUnusable");
  expect(await hasSecret()).toBe(false);

  issuer.temper = "sign";
  await untilReady();
  const data = await secretData();
  expect(Object.keys(data).toSorted()).toEqual(["ca.crt", "tls.crt", "tls.key"]);
  expect(decode(data["ca.crt"])).toBe(issuer.signer.rootPem);
  await untilLeavesAreOf(decode(data["tls.crt"]));
  expect(await callApi()).toBe(200);
}, 600_000);

test("a rotation of the intermediate is signed by the issuer, under the same root", async () => {
  const old = await secretData();
  await rotate("same-root");
  const data = await secretData();
  expect(data["tls.crt"]).not.toBe(old["tls.crt"]);
  expect(decode(data["ca.crt"])).toBe(issuer.signer.rootPem);
  await untilLeavesAreOf(decode(data["tls.crt"]));
  expect(await callApi()).toBe(200);
});

test("where the issuer has another root the rotation takes every node to it", async () => {
  issuer.signer = new CertificateSigner("corporate root of next year");
  await rotate("next-root");
  const data = await secretData();
  expect(decode(data["ca.crt"])).toBe(issuer.signer.rootPem);
  await untilLeavesAreOf(decode(data["tls.crt"]));
  expect(await callApi()).toBe(200);
});

test("a rotation of the root is refused: it is the issuer's", async () => {
  await applyRotation("root-of-ours", "root");
  const reason = "--for=jsonpath={.status.reason}=SignerOwnsRoot";
  const waited = await cluster.kubectl([
    "wait",
    reason,
    "--timeout=240s",
    "carotation/root-of-ours",
  ]);
  expect(waited).toContain("condition met");
});

async function rotate(name: string): Promise<void> {
  await applyRotation(name, "intermediate");
  const done = "--for=jsonpath={.status.phase}=Complete";
  await cluster.kubectl(["wait", done, "--timeout=240s", `carotation/${name}`]);
}

async function applyRotation(name: string, authority: "root" | "intermediate"): Promise<void> {
  const apiVersion = "weft.dev/v1";
  const rotation = { apiVersion, kind: "CARotation", metadata: { name }, spec: { authority } };
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(rotation));
}

async function requests(): Promise<readonly string[]> {
  const args = ["-n", "weft-system", "get", "certificaterequests", "-o", "name"];
  return (await cluster.kubectl(args)).split("\n").filter((name) => name !== "");
}

async function untilEvent(reason: string): Promise<void> {
  const select = `--field-selector=reason=${reason}`;
  await until(
    `event ${reason}`,
    async () => {
      const found = await cluster.kubectl([
        "-n",
        "weft-system",
        "get",
        "events",
        select,
        "-o",
        "name",
      ]);
      return found.trim() === "" ? undefined : true;
    },
    // The second request is made after half a minute at most.
    240_000,
  );
}

async function callApi(): Promise<number> {
  const from = { namespace: NAMESPACE, pod: "deployment/caller" };
  const outcome = await call(cluster, from, `http://${api.serviceAddress}:${api.port}/`);
  return "status" in outcome ? outcome.status : 0;
}

/** Every leaf of this file's pods is of the CA whose PEM comes first. */
async function untilLeavesAreOf(chainPem: string): Promise<void> {
  const parsed = parseCertificatesPem(chainPem);
  const [der] = parsed.kind === "parsed" ? parsed.certificates : [];
  if (!der) throw new Error("no certificate");
  const wanted = certificateFingerprint(der);
  await until(
    "every leaf to be of the new CA",
    async () => {
      const issuers = await leafIssuers();
      return issuers.every((one) => one === wanted) ? true : undefined;
    },
    FOLLOW_MS,
  );
}

async function leafIssuers(): Promise<readonly string[]> {
  const json = await cluster.kubectl(["get", "nodereports", "-o", "json"]);
  const { items } = JSON.parse(json) as {
    readonly items: readonly {
      readonly status: { readonly leaves: readonly { readonly issuer: string }[] };
    }[];
  };
  return items.flatMap(({ status }) => status.leaves.map(({ issuer: by }) => by));
}

async function scaleOperator(replicas: number): Promise<void> {
  const scale = ["scale", "deployment/weft-operator", `--replicas=${replicas}`];
  await cluster.kubectl(["-n", "weft-system", ...scale]);
  if (replicas > 0) return untilReady();
  const gone = ["wait", "--for=delete", "pod", "-l", "app=weft-operator", "--timeout=240s"];
  await cluster.kubectl(["-n", "weft-system", ...gone]);
}

/** Without waiting until they are ready. */
async function startOperator(): Promise<void> {
  const scale = ["scale", "deployment/weft-operator", "--replicas=2"];
  await cluster.kubectl(["-n", "weft-system", ...scale]);
}

async function untilReady(): Promise<void> {
  const status = ["rollout", "status", "deployment/weft-operator", "--timeout=240s"];
  await cluster.kubectl(["-n", "weft-system", ...status]);
}

async function hasSecret(): Promise<boolean> {
  return (await cluster.tryKubectl(["-n", "weft-system", "get", "secret", "weft-ca"])).code === 0;
}

async function secretData(): Promise<Readonly<Record<string, string>>> {
  const json = await cluster.kubectl([
    "-n",
    "weft-system",
    "get",
    "secret",
    "weft-ca",
    "-o",
    "json",
  ]);
  return (JSON.parse(json) as { readonly data: Readonly<Record<string, string>> }).data;
}

async function putSecret(data: Readonly<Record<string, string>>): Promise<void> {
  const metadata = { namespace: "weft-system", name: "weft-ca" };
  const secret = { apiVersion: "v1", kind: "Secret", metadata, type: "kubernetes.io/tls", data };
  const name = ["-n", "weft-system", "delete", "secret", "weft-ca", "--ignore-not-found"];
  await cluster.kubectl(name);
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(secret));
}

function decode(base64 = ""): string {
  return Buffer.from(base64, "base64").toString("utf8");
}
