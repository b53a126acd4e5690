/**
 * `weftctl ca rotate` in a real cluster under 500 requests a second: the root, the intermediate, the root again.
 * Every node follows with proof, what was is trusted no more, and not one request fails.
 */
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CommandResult, tryCommand } from "./command.ts";
import { createNamespace, deployEcho } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { between, type Load, permitLoadOnly, startLoad } from "./load.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "ca-rotation";
const PER_SECOND = 500;
const ROTATION_MS = 120_000;
const WEFTCTL = join(import.meta.dirname, "..", "..", "cli", "weftctl");
let load: Load;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  const api = await deployEcho(cluster, { namespace: NAMESPACE, name: "api", node: "node2" });
  load = await startLoad(cluster, { namespace: NAMESPACE, api, perSecond: PER_SECOND });
  await permitLoadOnly(cluster, NAMESPACE);
});

afterAll(async () => {
  await cluster.kubectl(["delete", "carotations", "--all", "--ignore-not-found"]);
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("--dry-run says what would be done, and does nothing", async () => {
  const before = await readCa();
  const { code, stdout } = await weftctl("ca", "rotate", "root", "--dry-run", "--json");
  expect({ code, json: JSON.parse(stdout) as unknown }).toMatchObject({ code: 0 });
  expect(await readCa()).toEqual(before);
  expect((await cluster.kubectl(["get", "carotations", "-o", "name"])).trim()).toBe("");
});

test.each(["root", "intermediate", "root"])(
  "the %s is rotated and not one request fails",
  async (authority) => {
    const ca = await readCa();
    const before = await load.tally();
    const startedMs = Date.now();
    const { code, stdout, stderr } = await weftctl("ca", "rotate", authority, "--json");
    const seconds = (Date.now() - startedMs) / 1000;
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "complete" });
    const seen = between(before, await load.tally());
    expect(seen.failed).toEqual([]);
    // The load's own pace, not the mesh's: a busy machine may keep it from asking so often.
    expect((seen.answered.kept + seen.answered.once) / seconds).toBeGreaterThan(PER_SECOND / 2);

    const next = await readCa();
    expect(next.signer).not.toBe(ca.signer);
    expect(next.roots).toHaveLength(1);
    expect(next.roots[0] === ca.roots[0]).toBe(authority === "intermediate");
    expect(new Set(await issuersInUse())).toEqual(new Set([next.signer]));
    const status = await weftctl("ca", "status", "--json");
    expect({ code: status.code, said: status.stdout }).toMatchObject({ code: 0 });
  },
  ROTATION_MS,
);

function weftctl(...args: readonly string[]): Promise<CommandResult> {
  return tryCommand([WEFTCTL, ...args, `--kubeconfig=${cluster.kubeconfig}`]);
}

interface Ca {
  /** Hex SHA-256 of the certificate that signs leaves. */
  readonly signer: string;
  /** Of those trusted. */
  readonly roots: readonly string[];
}

async function readCa(): Promise<Ca> {
  const secret = await cluster.kubectl([
    "-n",
    "weft-system",
    "get",
    "secret",
    "weft-ca",
    "-o",
    "json",
  ]);
  const { data } = JSON.parse(secret) as { readonly data: Readonly<Record<string, string>> };
  const [signer = ""] = fingerprints(data["tls.crt"]);
  return { signer, roots: fingerprints(data["ca.crt"]) };
}

function fingerprints(base64: string | undefined): readonly string[] {
  const pem = Buffer.from(base64 ?? "", "base64").toString();
  return (pem.match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g) ?? []).map((one) =>
    new X509Certificate(one).fingerprint256.replaceAll(":", "").toLowerCase(),
  );
}

/** Issuers of all leaves that the nodes report. */
async function issuersInUse(): Promise<readonly string[]> {
  const path = "jsonpath={.items[*].status.leaves[*].issuer}";
  const said = await cluster.kubectl(["get", "nodereports", "-o", path]);
  return said.split(" ").filter((issuer) => issuer !== "");
}
