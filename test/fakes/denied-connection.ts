/** A connection, and its end, with something in every fact that log and metrics tell of one. */
import {
  type ConnectionFacts,
  type ConnectionOutcome,
  NO_PARTY,
} from "../../nodeproxy/flow/connection-facts.ts";

const RULE = { policy: "shop/p", rule: 0 };

export const DENIED_CONNECTION: ConnectionFacts = {
  direction: "inbound",
  sinceMs: 0,
  pod: "uid",
  source: NO_PARTY,
  sourceAddress: "10.0.0.1:1",
  destination: NO_PARTY,
  destinationAddress: "10.0.0.2:2",
  upstreamAddress: "10.0.0.2:2",
  service: "",
  tunnelled: true,
  watched: {
    matches: [
      { ...RULE, action: "AUDIT", dryRun: false },
      { ...RULE, action: "DENY", dryRun: true },
    ],
    dryRun: "deny",
  },
  asked: [{ provider: "opa", answer: "denied" }],
};

export const DENIED_OUTCOME: ConnectionOutcome = {
  ...RULE,
  code: "denied_by_policy",
  denial: "0a1b2c-0123456789ab",
  carried: true,
  bytesSent: 1,
  bytesReceived: 1,
};
