/**
 * Who answers `weftctl why`: the node proxies of a cluster, through port-forward to their admin endpoint on
 * loopback, or the same answers computed from files.
 */
import type { AskPod } from "../../core/kube/pod-request.ts";
import { answerWhy } from "../../nodeproxy/why/answer-why.ts";
import { viewMesh } from "../../nodeproxy/why/mesh-view.ts";
import {
  type DenialAnswer,
  FORMAT,
  type WhyAnswer,
  type WhyQuery,
} from "../../nodeproxy/why/why-answer.ts";
import type { FileMesh } from "./mesh-from-files.ts";

export interface AskedNodes {
  /** Names of the nodes that can be asked. */
  readonly nodes: readonly string[];
  /** Rejects where the node cannot be asked, or does not understand. */
  why(node: string, query: WhyQuery): Promise<WhyAnswer>;
}

export interface DenialNodes {
  readonly nodes: readonly string[];
  /** `not_kept` where no node proxy of the node has it. */
  denial(node: string, id: string): Promise<DenialAnswer>;
}

/** A node proxy's pod. In an upgrade a node has two. */
export interface NodeProxyPod {
  readonly node: string;
  readonly pod: string;
}

const ADMIN_PORT = 15_000;
/** The server takes 16 KiB of headers, the request line among them. */
const MAX_QUERY = 12_000;

export function askFiles({ index, nodes }: FileMesh): AskedNodes {
  // Without any pod there is still what the mesh knows of Services and of nobody.
  const asked = nodes.length === 0 ? [""] : nodes;
  return {
    nodes: asked,
    why: async (node, query) => answerWhy(viewMesh(node, index.resourcesFor(node).values()), query),
  };
}

/** `pods`: those that run, the youngest of a node first. */
export function askCluster(
  askPod: AskPod,
  namespace: string,
  pods: readonly NodeProxyPod[],
): AskedNodes & DenialNodes {
  async function ask(pod: string, path: string): Promise<unknown> {
    const { status, body } = await askPod({ namespace, pod, port: ADMIN_PORT, path });
    if (status === 404)
      throw new Error(`node proxy ${pod} is too old: it does not know the question`);
    if (status !== 200) throw new Error(`node proxy ${pod} answered ${status}: ${body.trim()}`);
    const answer: unknown = JSON.parse(body);
    const { format } = answer as { readonly format?: unknown };
    if (format === FORMAT) return answer;
    throw new Error(`node proxy ${pod} is of a version that this weftctl does not understand`);
  }
  function podsOf(node: string): readonly string[] {
    return pods.filter((entry) => entry.node === node).map(({ pod }) => pod);
  }
  return {
    nodes: [...new Set(pods.map(({ node }) => node))].toSorted(),
    why: async (node, query) => {
      const text = encodeURIComponent(JSON.stringify(query));
      if (text.length > MAX_QUERY)
        throw new Error("headers and claims are too long to be asked about");
      const [pod] = podsOf(node);
      if (pod === undefined) throw new Error(`no node proxy runs on ${node}`);
      return (await ask(pod, `/why?query=${text}`)) as WhyAnswer;
    },
    denial: async (node, id) => {
      let answer: DenialAnswer = { kind: "not_kept", format: FORMAT, node };
      for (const pod of podsOf(node)) {
        answer = (await ask(pod, `/denial?id=${encodeURIComponent(id)}`)) as DenialAnswer;
        if (answer.kind === "denial") return answer;
      }
      return answer;
    },
  };
}
