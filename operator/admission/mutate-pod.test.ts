import { expect, test } from "@jest/globals";
import type { V1Container, V1Pod, V1ResourceRequirements } from "@kubernetes/client-node";
import { mutatePod, type PatchOperation } from "./mutate-pod.ts";
import { validatePod } from "./validate-pod.ts";

const IMAGE = "weft:1";

function pod(spec: Partial<NonNullable<V1Pod["spec"]>>, metadata: V1Pod["metadata"] = {}): V1Pod {
  return { metadata, spec: { containers: [{ name: "app", image: "app" }], ...spec } };
}

function container(name: string, resources?: V1ResourceRequirements): V1Container {
  return { name, image: name, ...(resources ? { resources } : {}) };
}

/** RFC 6902, for the paths that occur here. */
function patched(before: V1Pod, patch: readonly PatchOperation[]): V1Pod {
  const after = structuredClone(before);
  for (const operation of patch) {
    const [, , list = "", index] = operation.path.split("/");
    const spec = after.spec as unknown as Record<string, unknown[] | undefined>;
    if (index === undefined) {
      spec[list] = operation.op === "remove" ? [] : (operation.value as unknown[]);
      continue;
    }
    const items = spec[list] ?? [];
    const at = index === "-" ? items.length : Number(index);
    if (operation.op === "add") items.splice(at, 0, operation.value);
    else if (operation.op === "remove") items.splice(at, 1);
    else items[at] = operation.value;
  }
  return after;
}

function mutated(before: V1Pod): V1Pod {
  const verdict = mutatePod(before, IMAGE);
  if (verdict.kind === "denied") throw new Error(verdict.reasons.join());
  return patched(before, verdict.patch);
}

function gateOf(before: V1Pod): V1Container | undefined {
  return mutated(before).spec?.initContainers?.[0];
}

test("mutatePod(): the gate satisfies the restricted Pod Security Standard and reads the annotation from a file", () => {
  const after = mutated(pod({}));
  expect(after.spec?.initContainers).toEqual([
    {
      name: "weft-gate",
      image: IMAGE,
      imagePullPolicy: "IfNotPresent",
      command: [
        "/weft/node_modules/.bin/node",
        "/weft/nodeproxy/gate-main.ts",
        "--open-file",
        "/var/run/weft-gate/gate",
      ],
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
      volumeMounts: [{ name: "weft-gate", mountPath: "/var/run/weft-gate", readOnly: true }],
    },
  ]);
  expect(after.spec?.volumes?.[0]?.downwardAPI?.items?.[0]).toEqual({
    path: "gate",
    fieldRef: { apiVersion: "v1", fieldPath: "metadata.annotations['weft.dev/gate']" },
  });
});

test("mutatePod(): the gate comes before other init containers and native sidecars", () => {
  const sidecar = Object.assign(container("sidecar"), { restartPolicy: "Always" });
  const after = mutated(
    pod({ initContainers: [sidecar, container("init")], volumes: [{ name: "v", emptyDir: {} }] }),
  );
  expect(after.spec?.initContainers?.map(({ name }) => name)).toEqual([
    "weft-gate",
    "sidecar",
    "init",
  ]);
  expect(after.spec?.volumes?.map(({ name }) => name)).toEqual(["v", "weft-gate"]);
});

test("mutatePod(): a second invocation changes nothing, also with what the API server has added", () => {
  const once = mutated(pod({ initContainers: [container("init")] }));
  const [gate] = once.spec?.initContainers ?? [];
  gate?.volumeMounts?.push({
    name: "kube-api-access",
    mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
  });
  if (gate) gate.terminationMessagePath = "/dev/termination-log";
  expect(mutatePod(once, IMAGE)).toEqual({ kind: "allowed", patch: [], warnings: [] });
  expect(validatePod(once, IMAGE).kind).toBe("allowed");
});

test("mutatePod(): a gate that another webhook moved or changed is put back", () => {
  const once = mutated(pod({ initContainers: [container("init")] }));
  const [gate, init] = once.spec?.initContainers ?? [];
  const moved = structuredClone(once);
  if (moved.spec) moved.spec.initContainers = [init, gate].filter((c) => c !== undefined);
  expect(validatePod(moved, IMAGE).kind).toBe("denied");
  expect(mutated(moved).spec?.initContainers).toEqual(once.spec?.initContainers);
  const changed = structuredClone(once);
  const [first] = changed.spec?.initContainers ?? [];
  if (first) first.env = [{ name: "NODE_OPTIONS", value: "--import=x" }];
  expect(validatePod(changed, IMAGE).kind).toBe("denied");
  expect(mutated(changed).spec?.initContainers).toEqual(once.spec?.initContainers);
});

const half = { cpu: "500m", memory: "256Mi" };

const QOS: readonly (readonly [string, V1Container[], V1ResourceRequirements | undefined])[] = [
  ["BestEffort asks for nothing", [container("a")], undefined],
  [
    "Guaranteed: requests equal limits, as large as the largest container",
    [
      container("a", { requests: half, limits: half }),
      container("b", { limits: { cpu: "1", memory: "128Mi" } }),
    ],
    { requests: { cpu: "1", memory: "256Mi" }, limits: { cpu: "1", memory: "256Mi" } },
  ],
  [
    "Guaranteed and tiny: no less than Node needs",
    [
      container("a", {
        requests: { cpu: "10m", memory: "8Mi" },
        limits: { cpu: "10m", memory: "8Mi" },
      }),
    ],
    { requests: { cpu: "100m", memory: "96Mi" }, limits: { cpu: "100m", memory: "96Mi" } },
  ],
  [
    "Burstable: what it names, and nothing else",
    [container("a", { requests: { cpu: "20m", "example.com/gpu": "1" } }), container("b")],
    { requests: { cpu: "20m" } },
  ],
  [
    "Burstable: a limit is raised to what Node needs, a request is not",
    [container("a", { requests: { memory: "16Mi" }, limits: { memory: "32Mi" } })],
    { requests: { memory: "16Mi" }, limits: { memory: "96Mi" } },
  ],
];

test.each(QOS)("mutatePod(): QoS class kept: %s", (_name, containers, resources) => {
  expect(gateOf(pod({ containers }))?.resources).toEqual(resources);
});

test("mutatePod(): a pod with resources of its own keeps its class without the gate's", () => {
  expect(gateOf(pod({ resources: { limits: half } }))?.resources).toBeUndefined();
});

const UNTOUCHED: readonly (readonly [string, V1Pod])[] = [
  ["hostNetwork", pod({ hostNetwork: true })],
  ["opted out", pod({}, { labels: { "weft.dev/mesh": "disabled" } })],
  ["static", pod({}, { annotations: { "kubernetes.io/config.mirror": "x" } })],
];

test.each(UNTOUCHED)(
  "mutatePod(): a pod that is never captured is left alone: %s",
  (_name, before) => {
    expect(mutatePod(before, IMAGE)).toMatchObject({ kind: "allowed", patch: [] });
    expect(validatePod(before, IMAGE).kind).toBe("allowed");
  },
);

const REFUSED: readonly (readonly [string, V1Pod])[] = [
  ["windows", pod({ os: { name: "windows" } })],
  ["windows", pod({ nodeSelector: { "kubernetes.io/os": "windows" } })],
  ["gvisor", pod({ runtimeClassName: "gvisor" })],
  ["kata-qemu", pod({ runtimeClassName: "kata-qemu" })],
  ["weft-gate", pod({ containers: [container("weft-gate")] })],
];

test.each(REFUSED)(
  "mutatePod(): what cannot be captured is refused with the reason: %s",
  (word, before) => {
    const verdict = mutatePod(before, IMAGE);
    expect(verdict.kind === "denied" && verdict.reasons[0]).toContain(word);
    expect(validatePod(before, IMAGE).kind).toBe("denied");
  },
);

const TAMPERED: readonly (readonly [string, (gate: V1Container) => void])[] = [
  ["image", (gate) => Object.assign(gate, { image: "evil" })],
  ["command", (gate) => Object.assign(gate, { command: ["true"] })],
  ["args", (gate) => Object.assign(gate, { args: ["x"] })],
  ["restartPolicy", (gate) => Object.assign(gate, { restartPolicy: "Always" })],
  ["LD_PRELOAD", (gate) => Object.assign(gate, { env: [{ name: "LD_PRELOAD", value: "x" }] })],
  ["envFrom", (gate) => Object.assign(gate, { envFrom: [{ configMapRef: { name: "x" } }] })],
  [
    "/weft/nodeproxy",
    (gate) => gate.volumeMounts?.push({ name: "x", mountPath: "/weft/nodeproxy" }),
  ],
  ["not mounted", (gate) => Object.assign(gate, { volumeMounts: [] })],
  [
    "/etc/ssl/../../weft",
    (gate) => gate.volumeMounts?.push({ name: "x", mountPath: "/etc/ssl/../../weft" }),
  ],
];

test.each(TAMPERED)("validatePod(): a gate that is not ours is refused: %s", (word, tamper) => {
  const after = mutated(pod({}));
  const [gate] = after.spec?.initContainers ?? [];
  if (gate) tamper(gate);
  const verdict = validatePod(after, IMAGE);
  expect(verdict.kind === "denied" && verdict.reasons[0]).toContain(word);
});

test("validatePod(): a pod that the mutating webhook did not see is refused", () => {
  const verdict = validatePod(pod({ initContainers: [container("init")] }), IMAGE);
  expect(verdict.kind === "denied" && verdict.reasons[0]).toContain("missing");
});

test("validatePod(): a volume that tells something else than the annotation is refused", () => {
  const after = mutated(pod({}));
  if (after.spec) after.spec.volumes = [{ name: "weft-gate", configMap: { name: "open" } }];
  const verdict = validatePod(after, IMAGE);
  expect(verdict.kind === "denied" && verdict.reasons[0]).toContain("volume weft-gate");
});

test("validatePod(): exclusions that cannot be read are refused, with the annotation's name", () => {
  const annotations = { "weft.dev/exclude-inbound-ports": "http" };
  const verdict = validatePod(mutated(pod({}, { annotations })), IMAGE);
  expect(verdict.kind === "denied" && verdict.reasons[0]).toContain("exclude-inbound-ports");
});
