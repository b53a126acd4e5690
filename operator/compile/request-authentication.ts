/** Turns a RequestAuthentication into what node proxies apply. One that cannot be read becomes an invalid one. */
import type { RequestAuthentication } from "../../core/model/request-authentication.ts";
import type { PolicyMetadata } from "../resources/policy-metadata.ts";
import type { ParsedRequestAuthentication } from "../resources/request-authentication.ts";
import type { WorkloadScope } from "../resources/workload-scope.ts";

export interface CompiledRequestAuthentication {
  readonly authentication: RequestAuthentication;
  readonly metadata: PolicyMetadata;
  /** For `selectsWorkload()`. */
  readonly scope: WorkloadScope;
}

/** `undefined` only for an object of which not even the name can be read. */
export function compileRequestAuthentication(
  parsed: ParsedRequestAuthentication,
): CompiledRequestAuthentication | undefined {
  const read = parsed.kind === "accepted" ? parsed.value : parsed.present;
  if (!read) return undefined;
  const { metadata, scope } = read;
  const ref = `${metadata.namespace}/${metadata.name}`;
  const rules = parsed.kind === "accepted" ? parsed.value.rules : [];
  const invalid = parsed.kind === "refused";
  return { authentication: { ref, invalid, rules }, metadata, scope };
}
