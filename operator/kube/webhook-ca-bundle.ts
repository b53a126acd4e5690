/**
 * Puts the mesh's roots into our webhook configurations, so that the API server trusts the webhooks.
 *
 * Strategic merge by the webhook's name: nothing else of the configuration is touched, and somebody
 * else's change at the same time is not lost.
 */
import { type KubeApi, kubePath } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";

const PLURALS = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] as const;

export interface CaBundleOptions {
  /** Name of both configurations. */
  readonly name: string;
  readonly rootsPem: string;
  /** Leave a bundle that is there alone: for replicas that are not the leader. */
  readonly onlyIfEmpty: boolean;
}

interface WebhookConfiguration {
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: { readonly caBundle?: string };
  }[];
}

/** How many configurations were changed. One that is not installed is no error. */
export async function writeCaBundle(api: KubeApi, options: CaBundleOptions): Promise<number> {
  const changed = await Promise.all(PLURALS.map((plural) => writeOne(api, plural, options)));
  return changed.filter(Boolean).length;
}

async function writeOne(
  api: KubeApi,
  plural: string,
  { name, rootsPem, onlyIfEmpty }: CaBundleOptions,
): Promise<boolean> {
  const path = kubePath("apis", "admissionregistration.k8s.io", "v1", plural, name);
  const configuration = await read(api, path);
  const caBundle = Buffer.from(rootsPem).toString("base64");
  const wrong = (configuration?.webhooks ?? []).filter(({ clientConfig }) =>
    onlyIfEmpty ? !clientConfig.caBundle : clientConfig.caBundle !== caBundle,
  );
  if (wrong.length === 0) return false;
  const webhooks = wrong.map((webhook) => ({ name: webhook.name, clientConfig: { caBundle } }));
  await api.call({ method: "PATCH", path, patch: "strategic", body: { webhooks } });
  return true;
}

async function read(api: KubeApi, path: string): Promise<WebhookConfiguration | undefined> {
  try {
    return (await api.call({ method: "GET", path })) as WebhookConfiguration;
  } catch (error) {
    if (error instanceof KubeError && error.reason === "not_found") return undefined;
    throw error;
  }
}
