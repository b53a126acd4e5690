/** Intermediates made by the operator itself, at once, as long as the root's key is stored. */
import { createUnderRoot } from "./intermediate.ts";
import type {
  IntermediateAnswer,
  IntermediateRequest,
  IntermediateSource,
} from "./intermediate-source.ts";
import { ENTRIES } from "./key-store.ts";
import { readCertificates } from "./read-material.ts";
import { isOwnRoot } from "./root.ts";

export const LOCAL_INTERMEDIATES: IntermediateSource = {
  signer: ENTRIES.rootKey,
  isExternal: false,
  create: async (request) => createLocally(request),
};

function createLocally({
  material,
  trustDomain,
  place,
  now,
}: IntermediateRequest): IntermediateAnswer {
  const made = material && createUnderRoot(material, { trustDomain, place, now });
  if (made) return { kind: "made", ...made };
  const roots = material ? readCertificates(material.rootsPem, `${place}: ${ENTRIES.roots}`) : [];
  if (roots.some(isOwnRoot)) {
    const message = `${place} has no ${ENTRIES.rootKey}: put it back for as long as the rotation takes`;
    return { kind: "refused", reason: "RootKeyOffline", message };
  }
  const message = `${place} holds a CA that was brought: exchange it there, as docs/certificates.md says`;
  return { kind: "refused", reason: "CaBrought", message };
}
