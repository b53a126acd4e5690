/**
 * etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and a kube-proxy for them: the API
 * server calls webhooks by the address of their Service, so its namespace needs the service rules
 * as a node does.
 */
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ClusterLayout } from "./cluster-layout.ts";
import { kubeconfigPath } from "./cluster-pki.ts";
import { findDaemon, startDaemon, stopDaemon } from "./daemon.ts";

const API_SERVER = "kube-apiserver";
const READY_WITHIN_MS = 240_000;

/** Starts everything and returns once the API server is ready. */
export async function startControlPlane(layout: ClusterLayout): Promise<void> {
  startProgram(layout, "etcd", [
    `--data-dir=${join(layout.dir, "etcd")}`,
    "--listen-client-urls=http://127.0.0.1:2379",
    "--advertise-client-urls=http://127.0.0.1:2379",
    "--listen-peer-urls=http://127.0.0.1:2380",
    // The cluster's data is thrown away: a crash of the machine need not be survived.
    "--unsafe-no-fsync",
  ]);
  await startApiServer(layout);
  startProgram(layout, "kube-controller-manager", [
    `--kubeconfig=${kubeconfigPath(layout, "controller-manager")}`,
    `--service-account-private-key-file=${join(layout.pkiDir, "sa.key")}`,
    `--root-ca-file=${join(layout.pkiDir, "ca.crt")}`,
    "--use-service-account-credentials",
    "--leader-elect=false",
    // Node addresses are laid out beforehand: allocation would follow the order of registration.
    "--allocate-node-cidrs=false",
    `--cluster-signing-cert-file=${join(layout.pkiDir, "ca.crt")}`,
    `--cluster-signing-key-file=${join(layout.pkiDir, "ca.key")}`,
  ]);
  startProgram(layout, "kube-scheduler", [
    `--kubeconfig=${kubeconfigPath(layout, "scheduler")}`,
    "--leader-elect=false",
  ]);
}

/** Starts the service rules of the control plane's namespace; needs the first node's object. */
export function startControlPlaneProxy(layout: ClusterLayout): void {
  startProgram(layout, "kube-proxy", kubeProxyFlags(layout, layout.nodes[0]?.name ?? layout.name));
}

/** Starts the cluster's DNS at the control plane's address; it needs the API server. */
export function startDns(layout: ClusterLayout): void {
  const program = join(import.meta.dirname, "dns", "main.ts");
  const argv = [process.execPath, program, layout.kubeconfig, layout.controlAddress];
  startDaemon(layout, "dns", ["nsenter", `--net=/run/netns/${layout.controlNetns}`, "--", ...argv]);
}

export function kubeProxyFlags(layout: ClusterLayout, node: string): readonly string[] {
  return [
    `--kubeconfig=${kubeconfigPath(layout, "proxy")}`,
    `--hostname-override=${node}`,
    `--cluster-cidr=${layout.podCidr}`,
    "--proxy-mode=iptables",
    // The table of connections is the machine's, not the cluster's to size.
    "--conntrack-max-per-core=0",
    "--conntrack-min=0",
  ];
}

export async function startApiServer(layout: ClusterLayout): Promise<void> {
  if (findDaemon(layout, API_SERVER) === undefined) {
    startProgram(layout, API_SERVER, apiServerFlags(layout));
  }
  await waitUntilReady(layout);
}

export async function stopApiServer(layout: ClusterLayout): Promise<void> {
  // An orderly end would first serve out every watch; an outage does not ask.
  await stopDaemon(layout, API_SERVER, { signal: "SIGKILL" });
}

function startProgram(layout: ClusterLayout, name: string, flags: readonly string[]): void {
  startDaemon(layout, name, [
    "nsenter",
    `--net=/run/netns/${layout.controlNetns}`,
    "--",
    join(layout.binDir, name),
    ...flags,
  ]);
}

function apiServerFlags(layout: ClusterLayout): readonly string[] {
  function pki(file: string): string {
    return join(layout.pkiDir, file);
  }
  return [
    "--etcd-servers=http://127.0.0.1:2379",
    `--advertise-address=${layout.controlAddress}`,
    "--secure-port=6443",
    `--tls-cert-file=${pki("apiserver.crt")}`,
    `--tls-private-key-file=${pki("apiserver.key")}`,
    `--client-ca-file=${pki("ca.crt")}`,
    `--service-cluster-ip-range=${layout.serviceCidr}`,
    `--service-account-key-file=${pki("sa.pub")}`,
    `--service-account-signing-key-file=${pki("sa.key")}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    "--kubelet-preferred-address-types=InternalIP",
    `--kubelet-client-certificate=${pki("admin.crt")}`,
    `--kubelet-client-key=${pki("admin.key")}`,
    `--kubelet-certificate-authority=${pki("ca.crt")}`,
    `--requestheader-client-ca-file=${pki("ca.crt")}`,
    "--requestheader-allowed-names=front-proxy",
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    `--proxy-client-cert-file=${pki("front-proxy.crt")}`,
    `--proxy-client-key-file=${pki("front-proxy.key")}`,
  ];
}

async function waitUntilReady(layout: ClusterLayout): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  // A program that starts gives no event to a stranger: it is asked until it answers.
  while (!(await isReady(layout))) {
    if (Date.now() > deadline || findDaemon(layout, API_SERVER) === undefined) {
      throw new Error(
        `kube-apiserver is not ready: see ${join(layout.logDir, `${API_SERVER}.log`)}`,
      );
    }
    await delay(50);
  }
}

async function isReady(layout: ClusterLayout): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const asking = request(
    {
      host: layout.controlAddress,
      port: 6443,
      path: "/readyz",
      ca: readFileSync(join(layout.pkiDir, "ca.crt")),
      cert: readFileSync(join(layout.pkiDir, "admin.crt")),
      key: readFileSync(join(layout.pkiDir, "admin.key")),
      agent: false,
      timeout: 2_000,
    },
    (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    },
  );
  asking.once("error", () => resolve(false));
  asking.once("timeout", () => asking.destroy());
  asking.end();
  return promise;
}
