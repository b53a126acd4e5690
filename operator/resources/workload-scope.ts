/** Which workloads an object of ours is about: `selector` or `targetRefs`, read from its spec. */
import { type Field, isFields, isObjectOf, items, member, refuse, text } from "./fields.ts";

export type WorkloadScope =
  /** Neither is given: the whole namespace, and from the root namespace the whole mesh. */
  | { readonly kind: "namespace" }
  /** Workloads with all these labels; never empty. */
  | { readonly kind: "labels"; readonly labels: Readonly<Record<string, string>> }
  /** Workloads that these Services of the object's own namespace select. */
  | { readonly kind: "services"; readonly names: readonly string[] };

// The forms of a label's key and value in Kubernetes.
const LABEL_NAME = "[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?";
const LABEL_KEY = new RegExp(`^(?:[a-z0-9.-]{1,253}/)?${LABEL_NAME}$`);
const LABEL_VALUE = new RegExp(`^(?:${LABEL_NAME})?$`);
const MAX_TARGET_REFS = 16;

/** What cannot be read counts as the whole namespace, so that an unreadable policy rather selects too much. */
export function parseWorkloadScope(spec: Field): WorkloadScope {
  const selector = member(spec, "selector");
  const targetRefs = member(spec, "targetRefs");
  if (selector && targetRefs) {
    refuse(targetRefs, "selector and targetRefs exclude each other");
    return { kind: "namespace" };
  }
  if (targetRefs) return parseTargetRefs(targetRefs);
  return selector ? parseSelector(selector) : { kind: "namespace" };
}

/** `selector.matchLabels`; without labels it selects the whole namespace, as in Kubernetes. */
export function parseSelector(selector: Field): WorkloadScope {
  isObjectOf(selector, ["matchLabels"]);
  const field = member(selector, "matchLabels");
  if (!field) return { kind: "namespace" };
  if (!isFields(field.value)) {
    refuse(field, "must be an object");
    return { kind: "namespace" };
  }
  const before = field.reasons.length;
  const labels: [string, string][] = [];
  for (const [key, value] of Object.entries(field.value)) {
    const at = { ...field, value, path: `${field.path}.${key}` };
    if (!LABEL_KEY.test(key)) refuse(at, "is not a label key");
    if (typeof value === "string" && LABEL_VALUE.test(value)) labels.push([key, value]);
    else refuse(at, "must be a label value; wildcards are not allowed here");
  }
  if (labels.length === 0 || field.reasons.length > before) return { kind: "namespace" };
  return { kind: "labels", labels: Object.fromEntries(labels) };
}

/** `targetRefs`; `namespace` where they cannot be read, with the reasons told. */
export function parseTargetRefs(field: Field): WorkloadScope {
  const before = field.reasons.length;
  const refs = items(field);
  if (refs.length > MAX_TARGET_REFS) refuse(field, `at most ${MAX_TARGET_REFS} references`);
  const names = refs.map(parseTargetRef).filter((name) => name !== undefined);
  return field.reasons.length > before ? { kind: "namespace" } : { kind: "services", names };
}

function parseTargetRef(ref: Field): string | undefined {
  if (!isObjectOf(ref, ["group", "kind", "name"])) return undefined;
  const group = member(ref, "group");
  if (group && group.value !== "" && group.value !== "core") {
    return refuse(group, "must be empty or core: only a Service can be the target");
  }
  const kind = member(ref, "kind");
  if (kind?.value !== "Service") return refuse(kind ?? ref, "kind must be Service");
  const name = member(ref, "name");
  return name ? text(name) : refuse(ref, "name must be given");
}
