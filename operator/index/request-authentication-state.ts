/** What the status of a RequestAuthentication is written from: enforced on the nodes of the pods that it selects. */
import { resourceKey } from "../../core/model/resource.ts";
import type { Reason } from "../resources/fields.ts";
import type { ClusterState } from "./cluster-state.ts";
import { portsIn } from "./http-of-pod.ts";
import {
  countUncaptured,
  enrolmentProof,
  identityOf,
  type PolicyState,
  readingOf,
} from "./policy-state.ts";
import type { HeldRequestAuthentication } from "./policy-store.ts";

/** Said while any pod that it selects has no port that is read as HTTP. */
export const UNSEEN: Reason = {
  field: "spec.jwtRules",
  message:
    "no token can be seen on ports that are not read as HTTP: their Service must declare appProtocol",
};

export function listRequestAuthenticationStates(state: ClusterState): readonly PolicyState[] {
  return state.policies.requestAuthentications.all().map((held) => stateOf(state, held));
}

function stateOf(state: ClusterState, held: HeldRequestAuthentication): PolicyState {
  const ref = held.compiled?.authentication.ref ?? "";
  const own = { kind: "requestAuthentication", name: ref } as const;
  const version = state.tables.global.get(own)?.version ?? "";
  const places = placesOf(state, ref);
  const reading = readingOf(held.parsed);
  const isSeen =
    places.length > 0 && places.every(({ enrolment }) => portsIn(enrolment).length > 0);
  return {
    kind: "RequestAuthentication",
    ...identityOf(held.object),
    ...reading,
    warnings: reading.accepted && !isSeen ? [...reading.warnings, UNSEEN] : reading.warnings,
    effect: "full",
    notes: [],
    proofs: places.flatMap(({ node, enrolment }) => [
      { node, key: resourceKey(own), version },
      enrolmentProof(node, enrolment),
    ]),
    uncaptured: countUncaptured(
      state,
      places.map(({ node, enrolment }) => ({ node, uid: enrolment.name })),
    ),
  };
}

/** The enrolments that name it. */
function placesOf({ pods, tables }: ClusterState, ref: string) {
  return [...pods.all()].flatMap(({ node, uid }) => {
    const enrolment = tables.findEnrolment(node, uid);
    const body = enrolment?.body;
    const names = body?.kind === "enrolment" ? body.value.requestAuthentications : undefined;
    return enrolment && names?.includes(ref) ? [{ node, enrolment }] : [];
  });
}
