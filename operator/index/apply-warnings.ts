/**
 * What to tell whoever applies an object that was understood: what it cannot do because of the other objects there are.
 * Warnings only; `policy-warnings.ts` has those of the kinds that decide.
 */
import { isMeshed } from "../compile/enrolment.ts";
import type { Reason } from "../resources/fields.ts";
import type { RequestAuthenticationObject } from "../resources/request-authentication.ts";
import type { ReviewedObject } from "../resources/reviewed-object.ts";
import type { ClusterState } from "./cluster-state.ts";
import { httpPortsOf } from "./http-of-pod.ts";
import {
  authorizationApplyWarnings,
  peerAuthenticationApplyWarnings,
  podsOf,
  selectionWarnings,
  standingWarnings,
} from "./policy-warnings.ts";
import { UNSEEN } from "./request-authentication-state.ts";
import { selectable } from "./ruling-of-pod.ts";
import { trafficWarnings } from "./traffic-warnings.ts";

export function applyWarnings(state: ClusterState, object: ReviewedObject): readonly Reason[] {
  if ("action" in object) return authorizationApplyWarnings(state, object);
  if ("services" in object) return trafficWarnings(state, object);
  if ("rules" in object) return requestAuthenticationApplyWarnings(state, object);
  return peerAuthenticationApplyWarnings(state, object);
}

function requestAuthenticationApplyWarnings(
  state: ClusterState,
  object: RequestAuthenticationObject,
): readonly Reason[] {
  const pods = podsOf(state, object);
  const meshed = pods.filter((pod) => isMeshed(pod, state.namespaces.get(pod.namespace)));
  const isBlind = meshed.some((pod) => {
    const asks = state.policies.policiesOf(selectable(state, pod)).map(({ http }) => http);
    const { services } = state;
    return httpPortsOf(pod, { asks, authenticates: true, services }).length === 0;
  });
  return [
    ...standingWarnings(state, object),
    ...selectionWarnings(state, object, pods),
    ...(isBlind ? [UNSEEN] : []),
  ];
}
