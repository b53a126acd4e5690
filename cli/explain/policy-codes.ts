/** What policies and tokens are refused for. Part of the catalogue: `catalogue.ts`. */
import {
  ACCESS_LOG,
  type CodeGroup,
  FAILED_CONNECTIONS,
  HEADER,
  HTTP_REQUESTS,
} from "./code-group.ts";

export const POLICY_CODES: CodeGroup = {
  title: "Refused by policy",
  place: "at the called pod's node",
  toldIn: [ACCESS_LOG, FAILED_CONNECTIONS, HTTP_REQUESTS, HEADER],
  codes: {
    denied_by_policy: [
      "a DENY policy matches, or came to match while the connection was open",
      "A DENY AuthorizationPolicy that selects the pod has a rule that fits this call; the line names both in `policy` and `rule`.",
      "`weftctl why ID`, with the line's `denial`, shows the rule clause by clause. Change the caller, or narrow the rule (`notPrincipals`, `ports`, …).",
    ],
    denied_by_provider: [
      "a CUSTOM policy matches, and its provider says no or cannot be asked: `asked` says which",
      "The external authorizer said no, did not answer in its `timeout`, or MeshConfig does not know it.",
      "Look at `asked` in the line: `denied` is the authorizer's own answer, anything else is about reaching it (`weftctl explain timeout`, …).",
    ],
    not_allowed: [
      "ALLOW policies apply and none matches",
      "The pod has ALLOW policies, and none of them has a rule for this identity, port, method or path.",
      "`weftctl why ID` shows which clause of each did not match. Add a rule for the caller, by `principals` or `serviceAccounts`.",
    ],
    policy_invalid: [
      "a DENY or CUSTOM policy that cannot be evaluated selects the workload",
      "A policy got past admission with a rule that cannot be read. It fails closed.",
      "`weftctl authz list POD` names it, its status has the field and the reason. Correct or delete it.",
    ],
    policy_missing: [
      "a policy that the workload needs has not arrived yet",
      "The node has the pod and not yet all policies it refers to: the operator has just been changed over, or cannot be reached.",
      "It ends by itself within seconds. If not: `weftctl status`, and the log of the node proxy and of the operator.",
    ],
    policy_unknown: [
      "nothing is known about the workload yet",
      "The node proxy has just started, or the pod is not enrolled any more.",
      "It ends by itself within seconds. If not: `weftctl status`; is the operator reachable from that node?",
    ],
    plaintext_refused: [
      "the port takes callers with an identity only (STRICT)",
      "The caller is outside the mesh, its node proxy has not captured it, or it called past the Service from the host's network.",
      "Enrol the caller (label `weft.dev/mesh: enabled` on its namespace), or set the port to PERMISSIVE in a PeerAuthentication.",
    ],
  },
};

export const TOKEN_CODES: CodeGroup = {
  title: "Refused tokens",
  place: "answered 401 by the called pod's node, before policy is asked",
  toldIn: [ACCESS_LOG, HTTP_REQUESTS, HEADER],
  codes: {
    token_malformed: [
      "no JWT, or one whose header or claims have no valid form",
      "The header holds something else than a JWT, or the token was cut off on its way.",
      "Send the token as the issuer gave it, after `Bearer `.",
    ],
    token_too_large: [
      "longer than any token is",
      "A token with thousands of groups or roles in it.",
      "Ask the issuer for fewer claims.",
    ],
    several_tokens: [
      "two different ones in one request",
      "Tokens in two of the places that RequestAuthentication names, such as a header and a cookie.",
      "Send one.",
    ],
    issuer_unknown: [
      "no RequestAuthentication takes tokens of its issuer from where it stands",
      "`iss` is another than in `jwtRules`, down to the last slash, or the token stands in another place than `fromHeaders` says.",
      "Compare `iss` with `weftctl authz list POD`; add a rule for the issuer.",
    ],
    audience_refused: [
      "the token is for somebody else",
      "`aud` has none of the rule's `audiences`.",
      "Ask the issuer for a token for this service, or add its audience.",
    ],
    token_expired: [
      "the token's time has ended",
      "The client keeps a token for longer than its `exp`, or the node's clock is fast.",
      "Renew the token before it ends; `weftctl check` looks at clocks.",
    ],
    token_not_yet_valid: [
      "the token's time has not begun",
      "The issuer's clock is ahead of the node's, or `nbf` is really in the future.",
      "Correct the clocks; `weftctl check` looks at them.",
    ],
    algorithm_refused: [
      "no asymmetric signature, or not that of the key",
      "`alg` is `none`, an HMAC, or not that of the key in the key set.",
      "Have the issuer sign by RS256, ES256 or another asymmetric algorithm.",
    ],
    key_unknown: [
      "the issuer has no such key",
      "The issuer has changed its keys and the key set here is older, or the token is another issuer's.",
      "Wait for the next fetch, or put the new key into `jwks`.",
    ],
    signature_invalid: [
      "the signature was not made by the issuer's key",
      "The token was changed, or signed by another key under the same `kid`.",
      "Get a new token; check that `jwksUri` is the issuer's own.",
    ],
    keys_unavailable: [
      "the issuer's keys could not be fetched, and none that were are still good",
      "`jwksUri` cannot be reached from the operator or the node, does not answer with a key set, or its address is forbidden.",
      "The status of the RequestAuthentication and the node proxy's log name the failure; or put the keys into `jwks`.",
    ],
    authentication_unreadable: [
      "a RequestAuthentication that cannot be read selects the workload",
      "One got past admission with a field that cannot be read. It fails closed.",
      "Its status has the field and the reason. Correct or delete it.",
    ],
    authentication_missing: [
      "a RequestAuthentication that selects the workload has not arrived yet",
      "The node has the pod and not yet what it refers to.",
      "It ends by itself within seconds. If not: `weftctl status`.",
    ],
  },
};

export const LIMIT_CODES: CodeGroup = {
  title: "Too many requests",
  place: "at the called pod's node, after policy has permitted the request",
  toldIn: [ACCESS_LOG, HTTP_REQUESTS, HEADER],
  codes: {
    rate_limited: [
      "a limit of a TrafficPolicy on requests has no room for it",
      "The caller, or all of them together, sent more than `rateLimits` of the TrafficPolicy admits; the answer's `ratelimit` field names the limit.",
      "Wait as long as `retry-after` says. Else raise the limit (a `global` one in the rate limit service's own configuration), or count by something that tells callers apart.",
    ],
    rate_limit_unavailable: [
      "the rate limit service could not be asked, and MeshConfig does not let pass what it has not counted",
      "It is down, slower than its `timeout`, or no such service; `asked` in the line says which (`weftctl explain timeout`, …).",
      "Look at the service's endpoints and at its Redis. Or set `rateLimitService.failOpen` in MeshConfig.",
    ],
  },
};
