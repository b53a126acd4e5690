/**
 * An issuer and its approver in a test cluster, as far as cert-manager's are seen from outside: approves or denies each
 * CertificateRequest in `weft-system`, and signs what is approved with a CA of its own. By kubectl, as administrator.
 */
import { setTimeout as delay } from "node:timers/promises";
import { CertificateSigner } from "../../fakes/certificate-signer.ts";
import type { Cluster } from "../cluster.ts";

/** `strange`: for a key of somebody else. `silent`: nobody approves. */
export type Temper = "sign" | "deny" | "strange" | "silent";

export interface TestIssuer {
  /** Another one is another root. */
  signer: CertificateSigner;
  temper: Temper;
  /** Names of the requests that were answered, oldest first. */
  readonly answered: readonly string[];
  close(): Promise<void>;
}

interface Request {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly request: string;
    readonly isCA?: boolean;
    readonly usages?: readonly string[];
    readonly issuerRef: { readonly name: string };
  };
  readonly status?: { readonly conditions?: readonly unknown[] };
}

const LOOK_MS = 500;

export function startIssuer(cluster: Cluster, name: string): TestIssuer {
  return new KubectlIssuer(cluster, name);
}

class KubectlIssuer implements TestIssuer {
  signer = new CertificateSigner();
  temper: Temper = "silent";
  readonly answered: string[] = [];
  readonly #cluster: Cluster;
  readonly #name: string;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.#name = name;
    this.#done = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const request of await this.#open()) await this.#answer(request);
      await delay(LOOK_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #open(): Promise<readonly Request[]> {
    const args = ["-n", "weft-system", "get", "certificaterequests", "-o", "json"];
    const { code, stdout } = await this.#cluster.tryKubectl(args);
    if (code !== 0) return [];
    const { items } = JSON.parse(stdout) as { readonly items: readonly Request[] };
    return items.filter(({ spec, status }) => {
      return spec.issuerRef.name === this.#name && !status?.conditions?.length;
    });
  }

  async #answer({ metadata, spec }: Request): Promise<void> {
    if (this.temper === "silent") return;
    const status = this.temper === "deny" ? DENIED : this.#signed(spec);
    const patch = JSON.stringify({ status });
    const name = ["patch", "certificaterequest", metadata.name];
    const args = ["-n", "weft-system", ...name, "--subresource=status", "--type=merge"];
    // Whoever asked may have removed it by now.
    const { code } = await this.#cluster.tryKubectl([...args, "-p", patch]);
    if (code === 0) this.answered.push(metadata.name);
  }

  #signed({ request, isCA, usages }: Request["spec"]): object {
    if (!isCA || !usages?.includes("cert sign")) return DENIED;
    const csrPem = Buffer.from(request, "base64").toString("utf8");
    // What a stranger asked for is answered with a CA that is nobody's here.
    const pem =
      this.temper === "strange"
        ? new CertificateSigner("stranger").rootPem
        : this.signer.sign(csrPem);
    return {
      conditions: [
        condition("Approved", "True", "TestApproved"),
        condition("Ready", "True", "Issued"),
      ],
      certificate: Buffer.from(pem).toString("base64"),
      ca: Buffer.from(this.signer.rootPem).toString("base64"),
    };
  }
}

const DENIED = {
  conditions: [condition("Denied", "True", "TestDenied"), condition("Ready", "False", "Denied")],
};

function condition(type: string, status: string, reason: string): object {
  const lastTransitionTime = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  return { type, status, reason, message: "by the test's issuer", lastTransitionTime };
}
