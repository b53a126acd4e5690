/** Reads which Service of the cluster MeshConfig means: by its name in DNS, as Istio writes it, or as `namespace/name`. Answers `namespace/name`. */
import { type Field, refuse, text } from "./fields.ts";

const LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
/** Perhaps with its namespace before it once more. */
const HOST = new RegExp(
  `^(?:(${LABEL})/)?(${LABEL})\\.(${LABEL})(?:\\.svc(?:\\.[a-z0-9.-]{1,253})?)?$`,
);
const REFERENCE = new RegExp(`^${LABEL}/${LABEL}$`);

export function readServiceHost(field: Field): string | undefined {
  const value = text(field);
  if (value === undefined) return undefined;
  const [, before, name, namespace] = HOST.exec(value) ?? [];
  if (name === undefined || namespace === undefined) {
    return refuse(field, "must be a Service of the cluster: NAME.NAMESPACE.svc.cluster.local");
  }
  if (before !== undefined && before !== namespace) {
    return refuse(field, `names namespace ${before} and namespace ${namespace}`);
  }
  return `${namespace}/${name}`;
}

export function readServiceReference(field: Field): string | undefined {
  const { value } = field;
  return typeof value === "string" && REFERENCE.test(value) ? value : readServiceHost(field);
}
