/** Where are the keys of an issuer that a rule names no place for? OpenID Connect Discovery 1.0, 4. */
import { KeyFetchError } from "./key-fetch-error.ts";

export function discoveryUri(issuer: string): string {
  // 4.1: "any terminating / MUST be removed before appending".
  return `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
}

/** Throws `KeyFetchError`. */
export function readDiscovery(text: string, issuer: string): string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new KeyFetchError("not_json", `discovery document of ${issuer} is no JSON`, { cause });
  }
  const { issuer: named, jwks_uri: uri } = Object(document) as Readonly<Record<string, unknown>>;
  // 4.3: "MUST exactly match the Issuer URL that was used as the prefix".
  const isOwn = named === issuer && typeof uri === "string" && /^https?:\/\//.test(uri);
  // Keys must not come a weaker way than the word where they are.
  const isWeaker = issuer.startsWith("https:") && String(uri).startsWith("http:");
  if (!isOwn || isWeaker || !URL.canParse(uri)) {
    throw new KeyFetchError("bad_discovery", `discovery document of ${issuer} names no keys of it`);
  }
  return uri;
}
