/**
 * The whole answer to "may this call be made?": asks one node what the call means, and then every node
 * that enforces at one of its ends.
 */
import type { JudgedTarget, WhyAnswer, WhyQuery } from "../../nodeproxy/why/why-answer.ts";
import type { AskedNodes } from "./asked-nodes.ts";

type Answer = Extract<WhyAnswer, { readonly kind: "answer" }>;

export interface WhyReport extends Pick<Answer, "caller" | "destination" | "notes"> {
  /** `mixed`: endpoints differ. `unknown`: some could not be asked, and those that were permit; or there is none. */
  readonly verdict: "permit" | "deny" | "mixed" | "unknown";
  readonly targets: readonly ReportedTarget[];
}

export interface ReportedTarget extends JudgedTarget {
  /** Why there is no judgement. */
  readonly problem?: string;
}

export type GatheredWhy =
  | { readonly kind: "report"; readonly report: WhyReport }
  /** What was asked for is not there, or nobody could be asked. */
  | { readonly kind: "unknown"; readonly reason: string };

export async function gatherWhy(asked: AskedNodes, query: WhyQuery): Promise<GatheredWhy> {
  const first = await askFirst(asked, query);
  if (typeof first === "string") return { kind: "unknown", reason: first };
  if (first.kind === "unknown") return first;
  const nodes = new Set(
    first.targets.filter(({ judgement }) => !judgement).map(({ node }) => node),
  );
  const others = await Promise.all(
    Array.from(nodes, async (node) => [node, await askOne(asked, node, query)] as const),
  );
  const answers = new Map(others);
  const targets = first.targets.map((target) => reported(target, answers.get(target.node)));
  const { caller, destination, notes } = first;
  return {
    kind: "report",
    report: { verdict: verdictOf(targets), caller, destination, targets, notes },
  };
}

/** Any node knows what names mean; the first that can be asked, or why none can. */
async function askFirst(asked: AskedNodes, query: WhyQuery): Promise<WhyAnswer | string> {
  let problem = "no node proxy runs";
  for (const node of asked.nodes) {
    const answer = await askOne(asked, node, query);
    if (typeof answer !== "string") return answer;
    problem = answer;
  }
  return problem;
}

async function askOne(
  asked: AskedNodes,
  node: string,
  query: WhyQuery,
): Promise<WhyAnswer | string> {
  try {
    return await asked.why(node, query);
  } catch (error) {
    return Error.isError(error) ? error.message : String(error);
  }
}

function reported(target: JudgedTarget, answer: WhyAnswer | string | undefined): ReportedTarget {
  if (target.judgement || answer === undefined) return target;
  if (typeof answer === "string") return { ...target, problem: answer };
  if (answer.kind === "unknown") return { ...target, problem: answer.reason };
  const own = answer.targets.find(
    ({ uid, address, port }) =>
      uid === target.uid && address === target.address && port === target.port,
  );
  if (own?.judgement) return own;
  return { ...target, problem: `node ${target.node} does not know the pod yet` };
}

function verdictOf(targets: readonly ReportedTarget[]): WhyReport["verdict"] {
  const kinds = new Set(targets.map(({ judgement }) => judgement && effectOf(judgement)));
  if (kinds.has("deny")) return kinds.has("permit") ? "mixed" : "deny";
  return kinds.size === 1 && kinds.has("permit") ? "permit" : "unknown";
}

/** What happens to the call: where nothing is enforced it passes, whatever policies would say. */
export function effectOf({
  enforced,
  outcome,
}: NonNullable<ReportedTarget["judgement"]>): "permit" | "deny" {
  return enforced === "yes" ? outcome.kind : "permit";
}
