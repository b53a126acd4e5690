/** Which conditions ask for what layer 4 cannot show? */
import type { Condition, Layer7Condition } from "./authorization-policy.ts";

const KEYS: ReadonlySet<string> = new Set<Layer7Condition["key"]>([
  "connection.sni",
  "remote.ip",
  "request.headers",
  "request.auth.principal",
  "request.auth.audiences",
  "request.auth.presenter",
  "request.auth.claims",
]);

export function isLayer7Condition(condition: Condition): condition is Layer7Condition {
  return KEYS.has(condition.key);
}
