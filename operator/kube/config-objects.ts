/** The two objects that hold what belongs to the mesh itself: the Secret `weft-ca` and the ConfigMap `weft-roots`. */
import { type KubeApi, kubePath } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";

export const CA_SECRET = "weft-ca";
const ROOTS_CONFIG_MAP = "weft-roots";
export const FIELD_MANAGER = "weft-operator";

export interface SecretAccess {
  /** Decoded; `undefined` where there is no Secret. */
  read(): Promise<Readonly<Record<string, Uint8Array>> | undefined>;
  create(data: Readonly<Record<string, Uint8Array>>): Promise<"created" | "exists">;
  /** Leaves labels and annotations alone. `changed` where `isExpected` or the API server says so. */
  replace(
    data: Readonly<Record<string, Uint8Array>>,
    isExpected: (stored: Readonly<Record<string, Uint8Array>>) => boolean,
  ): Promise<"replaced" | "changed">;
}

interface Secret {
  readonly data?: Readonly<Record<string, string>>;
}

export function createSecretAccess(api: KubeApi, namespace: string): SecretAccess {
  const secrets = kubePath("api", "v1", "namespaces", namespace, "secrets");
  return {
    async read() {
      try {
        const path = `${secrets}/${CA_SECRET}`;
        const secret = (await api.call({ method: "GET", path })) as Secret;
        return decode(secret.data ?? {});
      } catch (error) {
        if (error instanceof KubeError && error.reason === "not_found") return undefined;
        throw error;
      }
    },
    async create(data) {
      const body = {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { namespace, name: CA_SECRET, labels: { "app.kubernetes.io/part-of": "weft" } },
        type: "kubernetes.io/tls",
        data: encode(data),
      };
      try {
        await api.call({ method: "POST", path: secrets, body });
        return "created";
      } catch (error) {
        if (error instanceof KubeError && error.reason === "already_exists") return "exists";
        throw error;
      }
    },
    async replace(data, isExpected) {
      try {
        const path = `${secrets}/${CA_SECRET}`;
        const secret = (await api.call({ method: "GET", path })) as Secret;
        if (!isExpected(decode(secret.data ?? {}))) return "changed";
        // With the resourceVersion that was read: the API server refuses it where somebody was faster.
        await api.call({ method: "PUT", path, body: { ...secret, data: encode(data) } });
        return "replaced";
      } catch (error) {
        const isKnown = error instanceof KubeError;
        if (isKnown && ["conflict", "not_found"].includes(error.reason)) return "changed";
        throw error;
      }
    },
  };
}

/** Where node proxies find the roots: key `roots.pem`. */
export async function writeRoots(
  api: KubeApi,
  { namespace, rootsPem }: { readonly namespace: string; readonly rootsPem: string },
): Promise<void> {
  const data = { "roots.pem": rootsPem };
  await applyRoots(api, { namespace, data, fieldManager: FIELD_MANAGER });
}

/**
 * What signs, for people: key `issuers.pem`, of another field manager, so that a replica that starts and
 * publishes the roots does not take it away. The leader's alone.
 */
export async function writeIssuers(
  api: KubeApi,
  { namespace, issuersPem }: { readonly namespace: string; readonly issuersPem: string },
): Promise<void> {
  const data = { "issuers.pem": issuersPem };
  await applyRoots(api, { namespace, data, fieldManager: `${FIELD_MANAGER}-issuers` });
}

interface RootsPart {
  readonly namespace: string;
  readonly data: Readonly<Record<string, string>>;
  readonly fieldManager: string;
}

async function applyRoots(
  api: KubeApi,
  { namespace, data, fieldManager }: RootsPart,
): Promise<void> {
  await api.call({
    method: "PATCH",
    path: kubePath("api", "v1", "namespaces", namespace, "configmaps", ROOTS_CONFIG_MAP),
    patch: "apply",
    query: { fieldManager, force: "true" },
    body: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        namespace,
        name: ROOTS_CONFIG_MAP,
        labels: { "app.kubernetes.io/part-of": "weft" },
      },
      data,
    },
  });
}

function decode(data: Readonly<Record<string, string>>): Readonly<Record<string, Uint8Array>> {
  return Object.fromEntries(
    Object.entries(data).map(([name, text]) => [name, Buffer.from(text, "base64")]),
  );
}

function encode(data: Readonly<Record<string, Uint8Array>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(data).map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]),
  );
}
