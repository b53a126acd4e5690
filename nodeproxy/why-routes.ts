/**
 * What control's admin endpoint answers to `weftctl why` and `weftctl authz list`. Reads what this node
 * holds and changes nothing.
 *
 * Control answers, not the traffic process: a large explanation must not hold up connections.
 */
import type { DeniedAttempt } from "../core/model/denied-attempt.ts";
import type { Resource } from "../core/model/resource.ts";
import { type AdminAnswer, type AdminRoute, jsonAnswer } from "../core/process/admin.ts";
import { isDenialId } from "./denials/denial-id.ts";
import { policyMark } from "./denials/policy-mark.ts";
import { answerWhy } from "./why/answer-why.ts";
import { explainDenial } from "./why/explain-denial.ts";
import { viewMesh } from "./why/mesh-view.ts";
import { parseWhyQuery } from "./why/parse-why-query.ts";

export interface WhyView {
  readonly node: string;
  readonly resources: () => readonly Resource[];
  /** A call that policy refused, by its id in the access log. */
  readonly denial: (id: string) => Promise<DeniedAttempt | undefined>;
}

export function whyRoutes({
  node,
  resources,
  denial,
}: WhyView): Readonly<Record<string, AdminRoute>> {
  return {
    "/why": ({ searchParams }) => {
      const parsed = parseWhyQuery(searchParams.get("query") ?? "");
      if (parsed.kind === "malformed") return malformed(parsed.reason);
      return jsonAnswer(answerWhy(viewMesh(node, resources()), parsed.query));
    },
    "/denial": async ({ searchParams }) => {
      const id = searchParams.get("id") ?? "";
      if (!isDenialId(id)) return malformed("id: none of the access log");
      const attempt = await denial(id);
      const view = viewMesh(node, resources());
      return jsonAnswer(explainDenial(view, { attempt, markOf: policyMark }));
    },
  };
}

function malformed(reason: string): AdminAnswer {
  return { ...jsonAnswer({ malformed: reason }), status: 400 };
}
