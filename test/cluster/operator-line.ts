/** The operator of a test cluster as anybody may call it who can reach it: with any token, for any pod, by any replica. */
import { spawn } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createCsr } from "../../core/x509/create-csr.ts";
import { CertifyClient } from "../../nodeproxy/control/certify.ts";
import type { Cluster } from "./cluster.ts";

const OPERATOR = "spiffe://cluster.local/ns/weft-system/sa/weft-operator";
const GRPC_PORT = 15012;

export interface OperatorCalls extends AsyncDisposable {
  /** The SANs of what is issued for that pod's UID, or the operator's reason why not. */
  certify(token: string, workload: string): Promise<string>;
}

/** By `kubectl port-forward`: the operator's Service is reached from pods only. */
export async function openOperatorCalls(cluster: Cluster): Promise<OperatorCalls> {
  const kubectl = join(cluster.dir, "bin", "kubectl");
  const target = ["deployment/weft-operator", `:${GRPC_PORT}`];
  const args = [`--kubeconfig=${cluster.kubeconfig}`, "-n", "weft-system", "port-forward"];
  const child = spawn(kubectl, [...args, ...target], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  const port = await portIn(child.stdout);
  const get = ["-n", "weft-system", "get", "configmap", "weft-roots"];
  const roots = await cluster.kubectl([...get, "-o", "jsonpath={.data.roots\\.pem}"]);
  return {
    certify: async (token, workload) => {
      const client = new CertifyClient({
        address: `127.0.0.1:${port}`,
        roots: () => roots,
        serverIdentity: OPERATOR,
        token: async () => token,
      });
      try {
        return await askFor(client, workload);
      } finally {
        await client.close();
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

async function portIn(stdout: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface({ input: stdout })) {
    const [, port] = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line) ?? [];
    if (port !== undefined) return Number(port);
  }
  throw new Error("kubectl port-forward ended");
}

async function askFor(client: CertifyClient, workload: string): Promise<string> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { signal } = new AbortController();
  try {
    const [leaf] = await client.certify({ workload, csr: createCsr(privateKey), signal });
    return new X509Certificate(leaf ?? "").subjectAltName ?? "";
  } catch (error) {
    const { refusal } = error as { readonly refusal?: string };
    if (refusal === undefined || refusal === "") throw error;
    return refusal;
  }
}
