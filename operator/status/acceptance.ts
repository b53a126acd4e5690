/** Condition Accepted: could the object be understood, and what is there to know about how it is read? Pure. */
import type { CompileNote } from "../compile/authorization.ts";
import { describeNote } from "../compile/describe-note.ts";
import type { PolicyState } from "../index/policy-state.ts";
import type { Reason } from "../resources/fields.ts";
import type { Condition, IgnoredField } from "./conditions.ts";

const IGNORED: Readonly<Record<CompileNote["effect"], IgnoredField["reason"]>> = {
  rule_dropped: "RuleDropped",
  attribute_erased: "AttributeErased",
  provider_unknown: "ProviderUnknown",
  provider_http_only: "ProviderHttpOnly",
  provider_without_body: "ProviderWithoutBody",
};

export function acceptedCondition(state: PolicyState): Condition {
  const { accepted, refusal = "Invalid", reasons, warnings, notes } = state;
  const type = "Accepted";
  if (!accepted) {
    const message = reasons.map(format).join("; ");
    return { type, status: "False", reason: refusal, message };
  }
  const message = [...warnings, ...notes.map(describeNote)].map(format).join("; ");
  return { type, status: "True", reason: "Accepted", message };
}

/** For programs; people read the condition's message. */
export function ignoredFields({ notes }: PolicyState): readonly IgnoredField[] {
  return notes.map(({ field, effect }) => ({ field, reason: IGNORED[effect] }));
}

function format({ field, message }: Reason): string {
  return `${field}: ${message}`;
}
