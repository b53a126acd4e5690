/**
 * The cluster's own certificates and kubeconfigs (Kubernetes' CA, not the mesh's): made by one run
 * of openssl's command line, valid for ten days, one for each program.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterLayout } from "./cluster-layout.ts";
import { runCommand } from "./command.ts";

interface Certificate {
  readonly name: string;
  /** As openssl's -subj takes it: O is the Kubernetes group, CN the user. */
  readonly subject: string;
  readonly altNames: readonly string[];
}

export async function createPki(layout: ClusterLayout): Promise<void> {
  await mkdir(layout.pkiDir, { recursive: true, mode: 0o700 });
  const certificates = listCertificates(layout);
  const script = [
    "set -eu",
    "openssl ecparam -name prime256v1 -genkey -noout -out ca.key",
    'openssl req -x509 -new -key ca.key -subj "/CN=weft-test-cluster" -days 10 -out ca.crt',
    "openssl genrsa -out sa.key 2048",
    "openssl rsa -in sa.key -pubout -out sa.pub",
    ...certificates.flatMap(issueLines),
  ];
  await runCommand(["sh", "-c", script.join("\n")], { cwd: layout.pkiDir });
  for (const { name } of certificates) {
    await writeFile(kubeconfigPath(layout, name), writeKubeconfig(layout, name));
  }
  await writeFile(layout.kubeconfig, writeKubeconfig(layout, "admin"), { mode: 0o600 });
}

export function kubeconfigPath(layout: ClusterLayout, user: string): string {
  return join(layout.pkiDir, `${user}.kubeconfig`);
}

function listCertificates(layout: ClusterLayout): readonly Certificate[] {
  const users: readonly Certificate[] = [
    { name: "admin", subject: "/O=system:masters/CN=admin", altNames: [] },
    {
      name: "controller-manager",
      subject: "/CN=system:kube-controller-manager",
      altNames: [],
    },
    { name: "scheduler", subject: "/CN=system:kube-scheduler", altNames: [] },
    { name: "proxy", subject: "/CN=system:kube-proxy", altNames: [] },
    { name: "front-proxy", subject: "/CN=front-proxy", altNames: [] },
  ];
  const server: Certificate = {
    name: "apiserver",
    subject: "/CN=kube-apiserver",
    altNames: [
      `IP:${layout.controlAddress}`,
      `IP:${layout.kubernetesServiceAddress}`,
      "IP:127.0.0.1",
      "DNS:kubernetes.default.svc",
    ],
  };
  const nodes = layout.nodes.map((node) => ({
    name: node.name,
    subject: `/O=system:nodes/CN=system:node:${node.name}`,
    altNames: [`DNS:${node.name}`, `IP:${node.address}`],
  }));
  return [...users, server, ...nodes];
}

function issueLines({ name, subject, altNames }: Certificate): readonly string[] {
  const extensions = ["extendedKeyUsage=serverAuth,clientAuth"];
  if (altNames.length > 0) {
    extensions.push(`subjectAltName=${altNames.join(",")}`);
  }
  return [
    `openssl ecparam -name prime256v1 -genkey -noout -out ${name}.key`,
    `openssl req -new -key ${name}.key -subj "${subject}" -out ${name}.csr`,
    `printf '%s\\n' ${extensions.map((line) => `"${line}"`).join(" ")} > ${name}.ext`,
    `openssl x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 10 -out ${name}.crt -extfile ${name}.ext`,
  ];
}

function writeKubeconfig(layout: ClusterLayout, user: string): string {
  function file(name: string): string {
    return join(layout.pkiDir, name);
  }
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: layout.name,
        cluster: {
          server: `https://${layout.controlAddress}:6443`,
          "certificate-authority": file("ca.crt"),
        },
      },
    ],
    users: [
      {
        name: user,
        user: { "client-certificate": file(`${user}.crt`), "client-key": file(`${user}.key`) },
      },
    ],
    contexts: [{ name: layout.name, context: { cluster: layout.name, user } }],
    "current-context": layout.name,
  });
}
