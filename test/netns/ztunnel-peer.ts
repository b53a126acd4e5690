/**
 * A real ztunnel in a pod of the test network, as Istio's dedicated mode runs it, and leaves of the CA that is
 * built into it for tests (`root-cert.pem` and `ca-key.pem` beside the binary).
 */
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import forge from "node-forge";
import { stringify } from "yaml";
import type { ServedLeaf } from "../../nodeproxy/channel/messages.ts";
import { startProgram } from "../world/program.ts";
import { until } from "../world/until.ts";
import type { TestPod } from "./pod-network.ts";

const HOUR_MS = 3_600_000;
/** 15008 as `/proc/PID/net/tcp` writes it, listening. */
const TUNNEL_LISTENS = /:3AA0 [0-9A-F]+:0000 0A/;

export interface ZtunnelPeer extends AsyncDisposable {
  /** Its access log. */
  log(): string;
}

/**
 * `pods` by their names, which are their service accounts too; ztunnel stands for `name`, and denies everyone the
 * ports `denied`.
 */
export async function startZtunnel(
  binary: string,
  pods: Readonly<Record<string, TestPod>>,
  ...[name, denied = []]: readonly [name: string, denied?: readonly number[]]
): Promise<ZtunnelPeer> {
  const folder = mkdtempSync(join(tmpdir(), "weft-ztunnel-"));
  const [configuration, logFile] = [join(folder, "workloads.yaml"), join(folder, "log")];
  writeFileSync(configuration, stringify({ ...workloadsOf(pods), policies: policiesOf(denied) }));
  const pod = pods[name];
  if (!pod) throw new TypeError(`no pod ${name}`);
  const program = startProgram({
    name: "ztunnel",
    command: [binary],
    netns: pod.path,
    logFile,
    env: {
      FAKE_CA: "true",
      XDS_ADDRESS: "",
      LOCAL_XDS_PATH: configuration,
      PROXY_MODE: "dedicated",
      PROXY_WORKLOAD_INFO: `shop/${name}/${name}`,
      INSTANCE_IP: pod.v4,
      NODE_NAME: `node-${name}`,
      ZTUNNEL_WORKER_THREADS: "1",
      RUST_LOG: "error,access=info",
      PACKET_MARK: "1337",
      ENABLE_ORIG_SRC: "true",
      IPV6_ENABLED: "false",
    },
  });
  const { pid } = program.child;
  await until("ztunnel listens", () => {
    const table = readFileSync(`/proc/${pid}/net/tcp`, "utf8");
    return TUNNEL_LISTENS.test(table) || undefined;
  });
  return {
    log: () => readFileSync(logFile, "utf8"),
    async [Symbol.asyncDispose]() {
      await program.stop("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function ztunnelRoot(binary: string): Uint8Array {
  return new X509Certificate(readBeside(binary, "root-cert.pem")).raw;
}

/** A CA certificate and its key. */
export interface ZtunnelSigner {
  readonly certificate: forge.pki.Certificate;
  readonly keyPem: string;
}

/** An intermediate below ztunnel's test CA. */
export function signerByZtunnelRoot(binary: string): ZtunnelSigner {
  return signedBy(rootOf(binary), {
    subject: [{ name: "commonName", value: "weft's signer" }],
    extensions: [
      { name: "basicConstraints", critical: true, cA: true, pathLenConstraint: 0 },
      { name: "keyUsage", critical: true, keyCertSign: true },
    ],
  });
}

export function derOf({ certificate }: ZtunnelSigner): Uint8Array {
  return new X509Certificate(forge.pki.certificateToPem(certificate)).raw;
}

/** A leaf by ztunnel's test CA, or by `signer` below it, for weft to serve. RSA, as that CA is. */
export function leafByZtunnelRoot(
  binary: string,
  identity: string,
  signer?: ZtunnelSigner,
): ServedLeaf {
  const { certificate, keyPem } = signedBy(signer ?? rootOf(binary), {
    subject: [],
    extensions: [
      { name: "keyUsage", critical: true, digitalSignature: true },
      { name: "extKeyUsage", serverAuth: true, clientAuth: true },
      { name: "subjectAltName", critical: true, altNames: [{ type: 6, value: identity }] },
    ],
  });
  const chain = signer ? [certificate, signer.certificate] : [certificate];
  const chainPem = chain.map((one) => forge.pki.certificateToPem(one)).join("");
  return { identity, chainPem, keyPem, notAfterMs: certificate.validity.notAfter.getTime() };
}

function rootOf(binary: string): ZtunnelSigner {
  const certificate = forge.pki.certificateFromPem(readBeside(binary, "root-cert.pem"));
  return { certificate, keyPem: readBeside(binary, "ca-key.pem") };
}

function signedBy(
  issuer: ZtunnelSigner,
  of: { readonly subject: forge.pki.CertificateField[]; readonly extensions: object[] },
): ZtunnelSigner {
  const keys = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const certificate = forge.pki.createCertificate();
  certificate.serialNumber = "0123456789abcdef";
  certificate.publicKey = forge.pki.publicKeyFromPem(keys.publicKey);
  certificate.validity.notBefore = new Date(Date.now() - HOUR_MS);
  certificate.validity.notAfter = new Date(Date.now() + HOUR_MS);
  certificate.setSubject(of.subject);
  certificate.setIssuer(issuer.certificate.subject.attributes);
  certificate.setExtensions(of.extensions);
  certificate.sign(forge.pki.privateKeyFromPem(issuer.keyPem), forge.md.sha256.create());
  return { certificate, keyPem: keys.privateKey };
}

function readBeside(binary: string, file: string): string {
  return readFileSync(join(dirname(binary), file), "utf8");
}

function workloadsOf(pods: Readonly<Record<string, TestPod>>): object {
  const workloads = Object.entries(pods).map(([name, pod]) => ({
    uid: `cluster1//v1/Pod/shop/${name}`,
    name,
    namespace: "shop",
    serviceAccount: name,
    workloadIps: [pod.v4],
    protocol: "HBONE",
    node: `node-${name}`,
    network: "",
    trustDomain: "cluster.local",
    services: {},
  }));
  return { workloads, services: [] };
}

function policiesOf(denied: readonly number[]): readonly object[] {
  if (denied.length === 0) return [];
  const rules = [[[{ destinationPorts: denied }]]];
  const [name, namespace] = ["denied-ports", "shop"];
  return [{ name, namespace, scope: "Namespace", action: "Deny", rules, dryRun: false }];
}
