/** Reads single values of a policy: a port, an address block, a service account. */
import type { ServiceAccountRef } from "../../core/model/authorization-policy.ts";
import { type Cidr, parseCidr } from "../../core/model/ip.ts";
import { isSpiffeId } from "../../core/model/spiffe-id.ts";
import { type Field, refuse, text } from "./fields.ts";

/** A port as text, as Istio writes it: "1" to "65535" without leading zeros. */
export function parsePort(field: Field): number | undefined {
  if (typeof field.value !== "string") return refuse(field, 'must be a string such as "8080"');
  const port = /^[1-9][0-9]{0,4}$/.test(field.value) ? Number(field.value) : 0;
  return port >= 1 && port <= 65535 ? port : refuse(field, "must be a port from 1 to 65535");
}

export function parseBlock(field: Field): Cidr | undefined {
  const value = text(field);
  if (value === undefined) return undefined;
  return parseCidr(value) ?? refuse(field, "must be an address or a CIDR block");
}

/** `namespace/name`, or `name` in the policy's own namespace. Exact: no wildcard. */
export function serviceAccountParser(
  ownNamespace: string,
): (field: Field) => ServiceAccountRef | undefined {
  return (field) => {
    const value = text(field);
    if (value === undefined) return undefined;
    const parts = value.split("/");
    const [namespace, name] = parts.length === 1 ? [ownNamespace, value] : parts;
    const isName =
      parts.length <= 2 &&
      namespace !== undefined &&
      name !== undefined &&
      isSpiffeId({ trustDomain: "any", namespace, serviceAccount: name });
    if (!isName) return refuse(field, "must be namespace/name or name, without wildcards");
    return { namespace, name };
  };
}
