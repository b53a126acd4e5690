/** Condition Accepted: could the object be understood, and what is there to know about how it is read? Pure. */
import type { CompileNote } from "../compile/authorization.ts";
import type { PolicyState } from "../index/policy-state.ts";
import type { Reason } from "../resources/fields.ts";
import type { Condition } from "./conditions.ts";

export function acceptedCondition(state: PolicyState): Condition {
  const { accepted, refusal = "Invalid", reasons, warnings, notes } = state;
  const type = "Accepted";
  if (!accepted) {
    const message = reasons.map(format).join("; ");
    return { type, status: "False", reason: refusal, message };
  }
  const message = [...warnings.map(format), ...notes.map(noteText)].join("; ");
  return { type, status: "True", reason: "Accepted", message };
}

function noteText({ field, effect }: CompileNote): string {
  switch (effect) {
    case "rule_dropped":
      return `${field}: cannot be seen on an opaque port, so this ALLOW rule matches nothing there`;
    case "attribute_erased":
      return `${field}: cannot be seen on an opaque port, so the rule matches without it there`;
    case "provider_unknown":
      return `${field}: no such provider is configured: what the rules match is denied`;
  }
}

function format({ field, message }: Reason): string {
  return `${field}: ${message}`;
}
