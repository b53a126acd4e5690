/**
 * The init container `weft-gate` and its volume: what `/mutate-pods` writes and `/validate-pods` expects.
 *
 * Satisfies the `restricted` Pod Security Standard. The annotation `weft.dev/gate` comes as a file of
 * a downward API volume: kubelet rewrites that while the container waits, an environment variable
 * would stay as it was at the start.
 */
import type { V1Container, V1Pod, V1Volume } from "@kubernetes/client-node";
import { gateResources } from "./gate-resources.ts";

export const GATE_NAME = "weft-gate";

const GATE_MOUNT = "/var/run/weft-gate";

/** Absolute, so that no PATH decides what runs. */
const GATE_COMMAND = [
  "/weft/node_modules/.bin/node",
  "/weft/nodeproxy/gate-main.ts",
  "--open-file",
  `${GATE_MOUNT}/gate`,
];

export const GATE_VOLUME: V1Volume = {
  name: GATE_NAME,
  downwardAPI: {
    items: [
      {
        path: "gate",
        fieldRef: { apiVersion: "v1", fieldPath: "metadata.annotations['weft.dev/gate']" },
      },
    ],
  },
};

export function gateContainer(spec: NonNullable<V1Pod["spec"]>, image: string): V1Container {
  const resources = gateResources(spec);
  return {
    name: GATE_NAME,
    image,
    // The image lies on the node already: the node proxy runs from it. So no pull secret is needed.
    imagePullPolicy: "IfNotPresent",
    command: GATE_COMMAND,
    ...(resources ? { resources } : {}),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [{ name: GATE_NAME, mountPath: GATE_MOUNT, readOnly: true }],
  };
}

/**
 * What keeps `found` from being the gate, in words; `undefined` where it is.
 *
 * The API server adds defaults and the service account's token, other webhooks add variables; what
 * could change the program that runs, or let the pod go on beside it, is refused.
 */
export function gateTampering(found: V1Container, wanted: V1Container): string | undefined {
  if (found.image !== wanted.image) return `image is ${found.image}, not ${wanted.image}`;
  if (!isSame(found.command, wanted.command)) return "command is changed";
  if ((found.args ?? []).length > 0) return "args are given";
  // A sidecar does not hold up what comes after it.
  if (found.restartPolicy) return `restartPolicy is ${found.restartPolicy}`;
  if (found.lifecycle) return "lifecycle is given";
  if (found.workingDir) return "workingDir is given";
  if ((found.envFrom ?? []).length > 0) return "envFrom is given";
  const variable = (found.env ?? []).find(({ name }) => /^(?:NODE_|LD_)/.test(name));
  if (variable) return `variable ${variable.name} is given`;
  return mountTampering(found, wanted);
}

/** Where others mount credentials and certificates; nothing of ours lies there. */
const HARMLESS_MOUNT = /^\/(?:var\/run\/secrets|run\/secrets|etc\/ssl|etc\/pki)\/(?![^]*\.\.)[^]*$/;

function mountTampering(found: V1Container, wanted: V1Container): string | undefined {
  const mounts = found.volumeMounts ?? [];
  const hasOurs = mounts.some(
    ({ name, mountPath, subPath }) => name === GATE_NAME && mountPath === GATE_MOUNT && !subPath,
  );
  if (!hasOurs) return `volume ${GATE_NAME} is not mounted`;
  const strange = mounts.find(
    ({ mountPath }) => mountPath !== GATE_MOUNT && !HARMLESS_MOUNT.test(mountPath),
  );
  if (strange) return `something is mounted at ${strange.mountPath}`;
  if ((found.volumeDevices ?? []).length > 0) return "volumeDevices are given";
  return isSame(found.securityContext?.capabilities, wanted.securityContext?.capabilities)
    ? undefined
    : "capabilities are changed";
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
