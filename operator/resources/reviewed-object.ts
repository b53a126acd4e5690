/** The objects that admission, having understood them, holds against the others there are. */
import type { AuthorizationPolicy } from "./authorization-policy.ts";
import type { PeerAuthentication } from "./peer-authentication.ts";
import type { RequestAuthenticationObject } from "./request-authentication.ts";
import type { TrafficPolicy } from "./traffic-policy.ts";

export type ReviewedObject =
  | AuthorizationPolicy
  | PeerAuthentication
  | RequestAuthenticationObject
  | TrafficPolicy;
