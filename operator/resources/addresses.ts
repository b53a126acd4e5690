/** Addresses as the API server writes them, made canonical and free of repetition. */
import { canonicalIp } from "../../core/model/ip.ts";

/** Canonical texts in the order given; what is no address is left out. */
export function canonicalAddresses(texts: readonly unknown[]): readonly string[] {
  const canonical = texts.flatMap((text) => {
    const address = typeof text === "string" ? canonicalIp(text) : undefined;
    return address === undefined ? [] : [address];
  });
  return [...new Set(canonical)];
}
