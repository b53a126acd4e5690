/** cert-manager as the source of the mesh's intermediates: its requests, and the checks of what it signs, put together. */
import type { KubeApi } from "../core/kube/kube-api.ts";
import type { Log } from "../core/process/log.ts";
import { ExternalIntermediates } from "./ca/external-intermediates.ts";
import type { IntermediateSource } from "./ca/intermediate-source.ts";
import type { KeyStore } from "./ca/key-store.ts";
import type { OperatorConfig, SourceConfig } from "./config.ts";
import { createCertificateRequestSigner } from "./kube/certificate-request.ts";
import type { IssuerRef } from "./resources/mesh-config.ts";

export interface CertManagerOptions {
  readonly config: Pick<OperatorConfig, "namespace">;
  readonly source: Pick<Extract<SourceConfig, { readonly kind: "kubernetes" }>, "podName">;
  /** Of MeshConfig, as is the next. */
  readonly issuerRef: () => IssuerRef | undefined;
  readonly leafLifetimeSeconds: () => number;
  readonly log: Log;
}

export function createCertManagerSource(
  { config, source, issuerRef, leafLifetimeSeconds, log }: CertManagerOptions,
  { api, keyStore }: { readonly api: KubeApi; readonly keyStore: KeyStore },
): IntermediateSource {
  const signer = createCertificateRequestSigner({
    api,
    namespace: config.namespace,
    podName: source.podName,
    issuerRef,
    isCaStored: async () => (await keyStore.read()) !== undefined,
    log,
  });
  return new ExternalIntermediates({ signer, leafLifetimeSeconds, log });
}
