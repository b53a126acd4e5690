/** What a field that is not enforced as written means for its author: for the condition Accepted and for `kubectl apply`. Pure. */
import type { Reason } from "../resources/fields.ts";
import type { CompileNote } from "./authorization.ts";

export function describeNote({ field, effect, inTls }: CompileNote): Reason {
  const unseen = inTls
    ? "is seen on ports alone that Services declare as tls or https"
    : "cannot be seen on an opaque port";
  switch (effect) {
    case "rule_dropped":
      return {
        field,
        message: inTls
          ? `${unseen}: this ALLOW rule matches nothing elsewhere`
          : `${unseen}, so this ALLOW rule matches nothing there`,
      };
    case "attribute_erased":
      return {
        field,
        message: inTls
          ? `${unseen}: the rule matches without it elsewhere`
          : `${unseen}, so the rule matches without it there`,
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
