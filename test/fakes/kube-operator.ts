/**
 * The real operator, its own process, on a fake API server with one small cluster: two nodes with a node proxy each, and
 * pods of every kind that somebody may ask a certificate for. Who asks is told by its token alone, as for real.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CertifyClient } from "../../nodeproxy/control/certify.ts";
import { KubeObjectServer } from "./kube-object-server.ts";
import { OPERATOR } from "./line-operator.ts";
import { OperatorProcess } from "./operator-process.ts";
import { ServiceAccountTokens, type TokenWish } from "./service-account-tokens.ts";

const ROOTS = "/api/v1/namespaces/weft-system/configmaps/weft-roots";
const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
const resourceVersion = "1";
export const PROXY_ACCOUNT = "weft-system/weft-node-proxy";
const AUDIENCE = "weft";

interface PodWish {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly account?: string;
  readonly phase?: string;
}

/** UID → pod. `api` was deleted and made again under another UID. */
const PODS: Readonly<Record<string, PodWish>> = {
  "proxy-a": proxyOf("node-a"),
  "proxy-b": proxyOf("node-b"),
  web: { name: "web", namespace: "shop", node: "node-a" },
  "api-2": { name: "api", namespace: "shop", node: "node-b" },
  done: { name: "done", namespace: "shop", node: "node-b", phase: "Succeeded" },
  crashed: { name: "crashed", namespace: "shop", node: "node-b", phase: "Failed" },
  outsider: { name: "outsider", namespace: "default", node: "node-b" },
  operator: { name: "op", namespace: "weft-system", node: "node-b", account: "weft-operator" },
};
/** Of a pod that was deleted; its tokens are out. */
export const GONE_PROXY = "proxy-b-gone";

function proxyOf(node: string): PodWish {
  const name = `weft-node-proxy-${node}`;
  return { name, namespace: "weft-system", node, account: "weft-node-proxy" };
}

function podOf([uid, pod]: readonly [string, PodWish], index: number): object {
  const { name, namespace, node, account = name, phase = "Running" } = pod;
  return {
    metadata: { name, namespace, uid, resourceVersion },
    spec: { nodeName: node, serviceAccountName: account, containers: [] },
    status: { phase, podIP: `10.1.0.${index + 1}` },
  };
}

const LISTS: Readonly<Record<string, readonly object[]>> = {
  "/api/v1/namespaces": [
    { metadata: { name: "shop", labels: { "weft.dev/mesh": "enabled" }, resourceVersion } },
    { metadata: { name: "weft-system", resourceVersion } },
    { metadata: { name: "default", resourceVersion } },
  ],
  "/api/v1/nodes": ["node-a", "node-b"].map((name) => {
    return { metadata: { name, uid: name, resourceVersion } };
  }),
  "/api/v1/pods": Object.entries(PODS).map(podOf),
};

export class KubeOperator {
  readonly server = new KubeObjectServer();
  readonly tokens = new ServiceAccountTokens(Object.keys(PODS));
  readonly #directory = mkdtempSync(join(tmpdir(), "weft-operator-"));
  #process: OperatorProcess | undefined;
  readonly #clients = new Set<CertifyClient>();

  async start(): Promise<void> {
    await this.server.start();
    this.server.answer = (method, path, body) => this.#answer(method, path, body);
    for (const kind of ["mutating", "validating"]) {
      this.server.put(`${REGISTRATION}/${kind}webhookconfigurations/weft`, {
        metadata: { name: "weft" },
        webhooks: [{ name: "gate.weft.dev", clientConfig: {} }],
      });
    }
    const place = { directory: this.#directory, server: this.server.url() };
    this.#process = await new OperatorProcess({ ...place, podName: "weft-operator-0" }).ready();
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    await this.#process?.close();
    await this.server.stop();
    rmSync(this.#directory, { recursive: true });
  }

  get process(): OperatorProcess {
    if (!this.#process) throw new Error("not started");
    return this.#process;
  }

  rootsPem(): string {
    const data = this.server.get(ROOTS)?.["data"] as { readonly "roots.pem": string };
    return data["roots.pem"];
  }

  /** The token that kubelet gives the node proxy of this node, changed by `wish`. */
  nodeToken(node: string, wish: Partial<TokenWish> = {}): string {
    const uid = node.replace("node", "proxy");
    const pod = { name: `weft-node-proxy-${node}`, uid, node };
    return this.tokens.create({ account: PROXY_ACCOUNT, audience: AUDIENCE, pod, ...wish });
  }

  /** A client that shows this token, whoever it is. */
  clientWith(token: string): CertifyClient {
    const client = new CertifyClient({
      address: this.process.grpcAddress,
      roots: () => this.rootsPem(),
      serverIdentity: OPERATOR,
      token: async () => token,
    });
    this.#clients.add(client);
    return client;
  }

  #answer(method: string, path: string, body: Readonly<Record<string, unknown>>) {
    if (path.endsWith("/tokenreviews")) {
      const { token, audiences } = body["spec"] as { token: string; audiences: string[] };
      return { status: this.tokens.review(token, audiences) };
    }
    const isList = method === "GET" && (path in LISTS || WATCHED.test(path));
    const items = LISTS[path] ?? [];
    return isList ? { kind: "List", metadata: { resourceVersion }, items } : undefined;
  }
}

/** Lists of kinds of which there is nothing. */
const WATCHED = /^\/(?:api|apis\/(?:discovery\.k8s\.io|weft\.dev))\/v1\/[a-z]+$/;
