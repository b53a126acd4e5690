/**
 * A pod as the mesh sees it: who it is, where it lives, what kubelet asks it.
 *
 * Refuses a pod whose fields could not become an identity; such a pod is simply not in the mesh.
 */
import type { CaptureExclusions } from "../../core/model/capture-exclusions.ts";
import type { Probe } from "../../core/model/enrolment.ts";
import { isSpiffeId } from "../../core/model/spiffe-id.ts";
import { MAX_WEIGHT } from "../../core/model/workload.ts";
import { canonicalAddresses } from "./addresses.ts";
import { readExclusions } from "./capture-exclusions.ts";
import { type KubeObject, type ObjectMeta, type Parsed, refused } from "./kube-object.ts";
import { MESH_LABEL } from "./namespace.ts";
import { asPort, asRecord, asText, type RawRecord, recordsOf } from "./narrow.ts";
import { parseProbes } from "./probes.ts";

export interface Pod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  /** "" until it is scheduled. */
  readonly node: string;
  /** Canonical; empty until kubelet has reported them, and always for a pod of the host's network. */
  readonly addresses: readonly string[];
  readonly hostNetwork: boolean;
  /** Phase Succeeded or Failed: nothing runs in it, and its address may already be another's. */
  readonly ended: boolean;
  /** Label `weft.dev/mesh: disabled`. */
  readonly optedOut: boolean;
  /** Annotation `weft.dev/netns`: where no kubelet runs; else "". */
  readonly netnsPath: string;
  readonly owner: string;
  readonly probes: readonly Probe[];
  readonly exclusions: CaptureExclusions;
  /** Of its containers' ports that have names. */
  readonly portNames: ReadonlyMap<string, number>;
  /** Annotation `weft.dev/weight`; 1 without it or where it is no weight. */
  readonly weight: number;
}

const WEIGHT_ANNOTATION = "weft.dev/weight";
const NETNS_ANNOTATION = "weft.dev/netns";
// A UID stands in resource keys and file names: no space, no slash.
const UID = /^[A-Za-z0-9._-]{1,128}$/;

export function parsePod({ metadata, ...object }: KubeObject): Parsed<Pod> {
  const spec = asRecord(object.spec);
  const status = asRecord(object.status) ?? {};
  if (!spec) return refused("spec is missing");
  if (!UID.test(metadata.uid)) return refused("metadata.uid is not valid");
  const serviceAccount = asText(spec["serviceAccountName"]) ?? "default";
  const identity = { trustDomain: "any", namespace: metadata.namespace, serviceAccount };
  if (!isSpiffeId(identity))
    return refused("spec.serviceAccountName cannot be part of an identity");
  const hostNetwork = spec["hostNetwork"] === true;
  const addresses = hostNetwork ? [] : podAddresses(status);
  return {
    kind: "accepted",
    value: {
      uid: metadata.uid,
      namespace: metadata.namespace,
      name: metadata.name,
      labels: metadata.labels,
      serviceAccount,
      node: asText(spec["nodeName"]) ?? "",
      addresses,
      hostNetwork,
      ended: status["phase"] === "Succeeded" || status["phase"] === "Failed",
      optedOut: metadata.labels[MESH_LABEL] === "disabled",
      netnsPath: metadata.annotations[NETNS_ANNOTATION] ?? "",
      owner: ownerName(metadata),
      probes: parseProbes(spec, addresses),
      exclusions: readExclusions(metadata.annotations).exclusions,
      portNames: readPortNames(spec),
      weight: parseWeight(metadata.annotations[WEIGHT_ANNOTATION]),
    },
  };
}

function readPortNames(spec: RawRecord): ReadonlyMap<string, number> {
  const ports = ["initContainers", "containers"]
    .flatMap((field) => recordsOf(spec[field]))
    .flatMap((container) => recordsOf(container["ports"]));
  return new Map(
    ports.flatMap(({ name, containerPort }): [string, number][] => {
      const port = asPort(containerPort);
      return typeof name === "string" && port !== undefined ? [[name, port]] : [];
    }),
  );
}

function podAddresses(status: RawRecord): readonly string[] {
  const all = recordsOf(status["podIPs"]).map(({ ip }) => ip);
  return canonicalAddresses([status["podIP"], ...all]);
}

/** The controller's name; of a ReplicaSet that a Deployment made, the Deployment's. */
function ownerName({ name, labels, ownerReferences }: ObjectMeta): string {
  const controller = ownerReferences.find((owner) => owner.controller);
  if (!controller) return name;
  const suffix = `-${labels["pod-template-hash"] ?? ""}`;
  return controller.kind === "ReplicaSet" && suffix.length > 1 && controller.name.endsWith(suffix)
    ? controller.name.slice(0, -suffix.length)
    : controller.name;
}

function parseWeight(text: string | undefined): number {
  const weight = /^[1-9][0-9]{0,3}$/.test(text ?? "") ? Number(text) : 1;
  return Math.min(weight, MAX_WEIGHT);
}
