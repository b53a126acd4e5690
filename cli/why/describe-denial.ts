/** A denial of the access log for people: what happened then, and what the policies of now make of it. */
import { formatSpiffeId } from "../../core/model/spiffe-id.ts";
import type { DenialAnswer } from "../../nodeproxy/why/why-answer.ts";
import { judgementLines, reasonText } from "./describe-why.ts";
import type { Paint } from "./paint.ts";

type Kept = Extract<DenialAnswer, { readonly kind: "denial" }>;

const SINCE: Readonly<Record<Kept["decided"], string>> = {
  same: "that policy has not changed since",
  changed: "that policy has changed since",
  gone: "that policy does not apply to the pod any more",
  none: "no policy decided alone",
};

export function describeDenial({ node, attempt, now, decided }: Kept, paint: Paint): string {
  const { id, timeMs, code, wasOpen, workload, source, sourceWorkload, facts } = attempt;
  const from = sourceWorkload === "" ? source : `pod ${sourceWorkload} (${source})`;
  const who = facts.peer ? formatSpiffeId(facts.peer) : "plaintext, without an identity";
  const rule = attempt.decided?.rule;
  const by = attempt.decided
    ? ` by ${attempt.decided.policy}${rule === undefined ? "" : ` rule ${rule}`}`
    : "";
  return [
    paint("bad", `DENIED then${by} (${code}); now: ${nowText(now)}`),
    `  id ${id}, at ${new Date(timeMs).toISOString()} on node ${node}`,
    `  from ${from}, ${who}`,
    `  to pod ${workload} port ${facts.destinationPort}`,
    ...serverNameLines(facts.sni),
    ...requestLines(facts.request),
    ...(wasOpen ? ["  it was open, and a change of policy ended it"] : []),
    `  ${SINCE[decided]}`,
    ...(now ? ["", "by the policies of now:", ...judgementLines(now, paint)] : []),
  ].join("\n");
}

function serverNameLines(sni: string | undefined): readonly string[] {
  if (sni === undefined) return [];
  return [sni === "" ? "  its TLS names no server" : `  its TLS names ${sni}`];
}

function requestLines(request: Kept["attempt"]["facts"]["request"]): readonly string[] {
  if (!request) return [];
  const { method, path, host, withheld } = request;
  return [
    `  ${method} ${path} of ${host === "" ? "no host" : host}`,
    ...(withheld.length === 0
      ? []
      : [`  without the values of ${withheld.join(", ")}, which are not kept`]),
  ];
}

function nowText(now: Kept["now"]): string {
  if (!now) return "the pod is not this node's any more";
  return `${now.outcome.kind}, ${reasonText(now)}`;
}
