/** Reads a reference to a backend: a Service's port. Whether there is one is not asked here. */
import type { Field } from "./fields.ts";
import { member } from "./fields.ts";
import { hasOnly, requiredText, textIn, wholeIn } from "./gateway-fields.ts";
import { integer } from "./members.ts";
import type { BackendSpec, BackendTarget, FilterSpec } from "./route.ts";

const TARGET_FIELDS = ["group", "kind", "name", "namespace", "port"];
// BackendRef.weight: "Maximum=1000000", "default=1".
const MAX_WEIGHT = 1_000_000;

/** `undefined` only where it is no object. */
export function readBackend(
  field: Field,
  namespace: string,
  readFilters: (backend: Field) => readonly FilterSpec[],
): BackendSpec | undefined {
  if (!hasOnly(field, [...TARGET_FIELDS, "weight", "filters"])) return undefined;
  return {
    target: targetOf(field, namespace),
    weight: wholeIn(field, "weight", { least: 0, most: MAX_WEIGHT, fallback: 1 }),
    filters: readFilters(field),
  };
}

export function readTarget(field: Field, namespace: string): BackendTarget | undefined {
  return hasOnly(field, TARGET_FIELDS) ? targetOf(field, namespace) : undefined;
}

function targetOf(field: Field, namespace: string): BackendTarget {
  const group = textIn(field, "group");
  const kind = textIn(field, "kind", "Service");
  const name = requiredText(field, "name");
  if (group !== "" || kind !== "Service") {
    const what = `${kind}${group === "" ? "" : `.${group}`} ${name}`;
    return { kind: "unsupported", field: field.path, what };
  }
  // "Port is required when the referent is a Kubernetes Service."
  const port = member(field, "port") ?? { ...field, value: undefined, path: `${field.path}.port` };
  return {
    kind: "service",
    field: field.path,
    namespace: textIn(field, "namespace", namespace),
    name,
    port: integer(port, [1, 65_535]) ?? 0,
  };
}
