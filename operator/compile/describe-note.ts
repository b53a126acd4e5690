/** What a field that is not enforced as written means for its author: for the condition Accepted and for `kubectl apply`. Pure. */
import type { Reason } from "../resources/fields.ts";
import type { CompileNote } from "./authorization.ts";

export function describeNote({ field, effect }: CompileNote): Reason {
  switch (effect) {
    case "rule_dropped":
      return {
        field,
        message: "cannot be seen on an opaque port, so this ALLOW rule matches nothing there",
      };
    case "attribute_erased":
      return {
        field,
        message: "cannot be seen on an opaque port, so the rule matches without it there",
      };
    case "provider_unknown":
      return { field, message: "no such provider is configured: what the rules match is denied" };
    case "provider_http_only":
      return {
        field,
        message: "is asked over HTTP, so what the rules match on an opaque port is denied",
      };
    case "provider_without_body":
      return {
        field,
        message: "is asked without bodies, so it decides by the head of a request alone",
      };
  }
}
