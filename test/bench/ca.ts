/**
 * How many workload certificates does a core issue in a second, and how many could it sign?
 *
 * Issuing is the operator's own Certify call in process, for pods of a real index: token (its review
 * cached), limits, authorisation, the request's proof, build, sign, validate, log. Signing is build and sign alone.
 */
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { createLog } from "../../core/process/log.ts";
import { createCsr } from "../../core/x509/create-csr.ts";
import {
  createSerial,
  distinguishedName,
  EMPTY_NAME,
  keyIdentifier,
  signCertificate,
} from "../../core/x509/sign-certificate.ts";
import { createAuthority } from "../../operator/ca/authority.ts";
import { createIssuer } from "../../operator/ca/issue-for-workload.ts";
import { createTokenAuthentication } from "../../operator/distribute/authenticate.ts";
import { Certifier } from "../../operator/distribute/certify.ts";
import { ClusterIndex } from "../../operator/index/cluster-index.ts";
import { parseKubeObject } from "../../operator/resources/kube-object.ts";
import { createMemoryKeyStore } from "../fakes/memory-key-store.ts";
import { perCpuSecond } from "./process-cpu.ts";

export interface CaBench {
  readonly signPerSecond: number;
  readonly issuePerSecond: number;
}

const NODES = 200;
const PODS_A_NODE = 20;
/** Keys that the pods share: making one costs the asking node, not the operator. */
const KEYS = 64;
const TRUST_DOMAIN = "cluster.local";

export async function runCaBench(): Promise<CaBench> {
  const csrs = Array.from({ length: KEYS }, () => createCsr(createKey().privateKey));
  const certify = await createCall();
  const issuePerSecond = await perCpuSecond((i) => {
    const node = i % NODES;
    const pod = Math.floor(i / NODES) % PODS_A_NODE;
    return certify(node, pod, csrs[i % KEYS] ?? new Uint8Array());
  });
  return { signPerSecond: await perCpuSecond(createSigning()), issuePerSecond };
}

/** Throws where a certificate is not issued. */
type Call = (node: number, pod: number, csr: Uint8Array) => Promise<void>;

async function createCall(): Promise<Call> {
  const index = createIndex();
  const now = Date.now();
  const log = createLog({ name: "weft-operator", level: "info", file: "/dev/null" });
  const keyStore = createMemoryKeyStore();
  const issuer = createIssuer({
    authority: await createAuthority({ keyStore, trustDomain: TRUST_DOMAIN, now }),
    findWorkload: (uid) => index.findWorkload(uid),
    trustDomain: () => TRUST_DOMAIN,
    leafLifetimeSeconds: () => index.meshSettings().leafLifetimeSeconds,
    log,
  });
  const authenticate = createTokenAuthentication({
    review: async (node) => ({ kind: "node", node, podUid: node, expiresAtMs: now + 3_600_000 }),
    now: Date.now,
  });
  const certifier = new Certifier({
    issue: (request) => issuer.issue(request),
    now: Date.now,
    onOutcome: () => undefined,
    // What one node may ask in a second is no part of what a core can do.
    limits: { perSecond: 1e6, burst: 1e6, waitingPerOwner: 1e6, waiting: 1e6, underWay: 64 },
  });
  const { signal } = new AbortController();
  return async (node, pod, csr) => {
    const caller = await authenticate({ authorization: `Bearer ${nodeName(node)}` });
    const request = { workload: podUid(node, pod), csr };
    const { chain } = await certifier.certify({ caller, address: "", request, signal });
    if (chain.length === 0) throw new Error("no certificate");
  };
}

function createIndex(): ClusterIndex {
  const index = new ClusterIndex({ rootNamespace: "weft-system", schedule: () => undefined });
  const labels = { "weft.dev/mesh": "enabled" };
  put(index, "Namespace", { metadata: { name: "bench", uid: "bench", labels } });
  for (let node = 0; node < NODES; node += 1) {
    for (let pod = 0; pod < PODS_A_NODE; pod += 1) {
      const name = `app-${node}-${pod}`;
      const spec = { nodeName: nodeName(node), serviceAccountName: `app-${pod}`, containers: [] };
      const status = { phase: "Running", podIP: `10.${node}.0.${pod}` };
      const metadata = { namespace: "bench", name, uid: podUid(node, pod), labels: {} };
      put(index, "Pod", { metadata, spec, status });
    }
  }
  return index;
}

function put(index: ClusterIndex, kind: string, object: object): void {
  const parsed = parseKubeObject({ apiVersion: "v1", kind, ...object });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join(", "));
  index.apply({ kind: "upsert", object: parsed.value });
}

function nodeName(node: number): string {
  return `node-${node}`;
}

function podUid(node: number, pod: number): string {
  return `uid-${node}-${pod}`;
}

function createSigning(): () => Uint8Array {
  const ca = createKey();
  const { publicKey } = createKey();
  const subjectKeyId = keyIdentifier(publicKey);
  const authorityKeyId = keyIdentifier(ca.publicKey);
  const issuer = distinguishedName("Weft", "Weft bench");
  const now = Date.now();
  const uris = [`spiffe://${TRUST_DOMAIN}/ns/bench/sa/app`];
  return () =>
    signCertificate(
      {
        serial: createSerial(randomBytes(16)),
        issuer,
        subject: EMPTY_NAME,
        notBeforeMs: now,
        notAfterMs: now + 86_400_000,
        publicKey,
        subjectKeyId,
        authorityKeyId,
        usage: "leaf",
        names: { uris, dnsNames: [], ipAddresses: [] },
      },
      ca.privateKey,
    );
}

function createKey() {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return { privateKey, publicKey };
}
