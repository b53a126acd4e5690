/** The name of a trust domain in objects that users write: SPIFFE-ID 2.1. */
import { type Field, refuse, text } from "./fields.ts";

const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;

export function parseTrustDomain(field: Field): string | undefined {
  const value = text(field);
  if (value === undefined || TRUST_DOMAIN.test(value)) return value;
  return refuse(field, "must be of lower-case letters, digits, dots, dashes and underscores");
}
