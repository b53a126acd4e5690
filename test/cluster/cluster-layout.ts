/**
 * Where everything of one test cluster is: names, folders, addresses. Pure; every other file asks
 * here, so that removing a cluster needs nothing but its name and this.
 *
 * All addresses of a cluster lie in 10.<octet>.0.0/16: 10.<octet>.0.0/24 is the link between the
 * nodes, .64.0/20 the services, .128.0/17 the pods (one /24 for each node).
 */
import { join } from "node:path";

export interface NodeLayout {
  readonly name: string;
  /** Network namespace, as `ip netns` names it. */
  readonly netns: string;
  /** The node's address on the link between the nodes. */
  readonly address: string;
  readonly podCidr: string;
  readonly dir: string;
  /** Path below every cgroup hierarchy, absolute there. */
  readonly cgroup: string;
}

export interface ClusterLayout {
  readonly name: string;
  readonly dir: string;
  /** Second byte of every address of the cluster. */
  readonly octet: number;
  readonly nodes: readonly NodeLayout[];
  /** Network namespace of etcd, the API server and the controllers; holds the bridge as well. */
  readonly controlNetns: string;
  readonly controlAddress: string;
  /** This machine's end of the link: how kubectl and clients from outside come in. */
  readonly hostDevice: string;
  readonly hostAddress: string;
  readonly linkCidr: string;
  readonly serviceCidr: string;
  /** The API server as pods see it: the first address of the services. */
  readonly kubernetesServiceAddress: string;
  readonly podCidr: string;
  readonly pkiDir: string;
  readonly logDir: string;
  readonly pidDir: string;
  readonly binDir: string;
  readonly kubeconfig: string;
}

/** A network device name has at most 15 characters, five of them are "weft-". */
const CLUSTER_NAME = /^[a-z][a-z0-9]{0,9}$/;

export interface LayoutOptions {
  readonly name: string;
  readonly dir: string;
  readonly octet: number;
  readonly nodes: number;
}

export function layOutCluster({ name, dir, octet, nodes }: LayoutOptions): ClusterLayout {
  if (!CLUSTER_NAME.test(name)) {
    throw new Error(`cluster name ${name}: one to ten of a-z and 0-9, a letter first`);
  }
  return {
    name,
    dir,
    octet,
    nodes: Array.from({ length: nodes }, (_, index) => layOutNode({ name, dir, octet }, index)),
    controlNetns: `weft-${name}`,
    controlAddress: `10.${octet}.0.1`,
    hostDevice: `weft-${name}`,
    hostAddress: `10.${octet}.0.254`,
    linkCidr: `10.${octet}.0.0/24`,
    serviceCidr: `10.${octet}.64.0/20`,
    kubernetesServiceAddress: `10.${octet}.64.1`,
    podCidr: `10.${octet}.128.0/17`,
    pkiDir: join(dir, "pki"),
    logDir: join(dir, "log"),
    pidDir: join(dir, "pid"),
    binDir: join(dir, "bin"),
    kubeconfig: join(dir, "admin.kubeconfig"),
  };
}

type ClusterRoot = Pick<LayoutOptions, "name" | "dir" | "octet">;

function layOutNode({ name, dir, octet }: ClusterRoot, index: number): NodeLayout {
  const node = `node${index + 1}`;
  return {
    name: node,
    netns: `weft-${name}-${node}`,
    address: `10.${octet}.0.${11 + index}`,
    podCidr: `10.${octet}.${128 + index}.0/24`,
    dir: join(dir, node),
    cgroup: `/weft-${name}-${node}`,
  };
}
