/** One of everything that the operator's CA makes, as files for other readers: with its own CA, and under a CA that was brought. */
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createAuthority } from "../../operator/ca/authority.ts";
import { createHierarchy } from "../../operator/ca/intermediate.ts";
import { createMemoryKeyStore } from "./memory-key-store.ts";

export const LEAF_URI = "spiffe://cluster.local/ns/shop/sa/web";
export const SERVER_URI = "spiffe://cluster.local/ns/weft-system/sa/weft-operator";
export const SERVER_NAME = "weft-operator.weft-system.svc";
export type ChainKind = "own" | "brought";

/** Paths of PEM files. */
export interface IssuedFiles {
  readonly root: string;
  readonly intermediate: string;
  readonly leaf: string;
  readonly server: string;
  /** What no reader may take: the leaf with its last octet changed. */
  readonly forged: string;
}

export async function writeIssued(folder: string, kind: ChainKind): Promise<IssuedFiles> {
  const now = Date.now();
  const trustDomain = "cluster.local";
  const { rootKeyPem, ...brought } = createHierarchy({ trustDomain, place: "elsewhere", now });
  if (rootKeyPem === undefined) throw new Error("the hierarchy has no root key");
  // Whoever brings a CA keeps its root's key.
  const keyStore = createMemoryKeyStore(kind === "brought" ? brought : undefined);
  const authority = await createAuthority({ keyStore, trustDomain, now });
  const { publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { format: "der", type: "spki" },
    privateKeyEncoding: { format: "pem", type: "pkcs8" },
  });
  const life = { lifetimeSeconds: 3600, now };
  const identity = { trustDomain, namespace: "shop", serviceAccount: "web" };
  const operator = { trustDomain, namespace: "weft-system", serviceAccount: "weft-operator" };
  const [leaf, ...above] = authority.issueLeaf({ publicKey, identity, ...life }).chain;
  const [server] = authority.issueServer({
    identity: operator,
    dnsNames: [SERVER_NAME],
    ipAddresses: ["10.96.0.7", "fd00::7"],
    ...life,
  }).chain;
  if (!leaf || !server) throw new Error("a chain is empty");
  const forged = Uint8Array.from(leaf);
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  function write(name: string, ders: readonly Uint8Array[]): string {
    const path = join(folder, `${kind}-${name}.pem`);
    writeFileSync(path, formatCertificatesPem(ders));
    return path;
  }
  return {
    root: write("root", authority.bundle().roots),
    intermediate: write("intermediate", above),
    leaf: write("leaf", [leaf]),
    server: write("server", [server]),
    forged: write("forged", [forged]),
  };
}
