/** Jobs, init containers, preStop hooks and the last words of a pod that ends, in a real cluster: all with the pod's identity. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { appCommand, createNamespace, deployEcho, type Echo } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { enforce, untilCaptured } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";
import { WEFT_IMAGE } from "./weft-image.ts";

const cluster = sharedCluster();
const NAMESPACE = "lives";
/** The account of every caller here; the ConfigMap `api` has the program. */
const CALLER = "caller";
let api: Echo;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  api = await deployEcho(cluster, { namespace: NAMESPACE, name: "api", node: "node2" });
  await untilCaptured(cluster, api.pods);
  await apply({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: CALLER, namespace: NAMESPACE },
  });
  // Only an identity proves itself: what came past the mesh would be refused.
  await enforce(cluster, {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "callers-only", namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: { app: "api" } },
      rules: [{ from: [{ source: { serviceAccounts: [CALLER] } }] }],
    },
  });
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("a Job calls from its init container and its container, and is complete", async () => {
  await apply({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "once", namespace: NAMESPACE },
    spec: {
      backoffLimit: 0,
      completions: 2,
      template: {
        metadata: { labels: { app: "once" } },
        spec: {
          ...podSpec(),
          restartPolicy: "Never",
          initContainers: [{ ...container("before"), command: calling("/before") }],
          containers: [{ ...container("job"), command: calling("/job") }],
        },
      },
    },
  });
  const wait = ["wait", "--for=condition=complete", "job/once", "--timeout=240s"];
  await cluster.kubectl(["-n", NAMESPACE, ...wait]);
  for (const [name, path] of [
    ["before", "/before"],
    ["job", "/job"],
  ] as const) {
    const logs = ["logs", "-l", "app=once", "-c", name, "--tail=-1"];
    const lines = (await cluster.kubectl(["-n", NAMESPACE, ...logs])).trim().split("\n");
    const seen = lines.map((line) => JSON.parse(line) as object);
    expect(seen).toHaveLength(2);
    for (const each of seen) expect(each).toMatchObject({ status: 200, body: { path } });
  }
});

test("a pod that ends calls from its preStop hook and after SIGTERM, to its very end", async () => {
  const lastWords = `trap '${calling("/last-words").join(" ")}; exit 0' TERM`;
  const preStop = {
    exec: { command: ["sh", "-c", `${calling("/hook").join(" ")} > /proc/1/fd/1`] },
  };
  await apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "ending", namespace: NAMESPACE },
    spec: {
      ...podSpec(),
      terminationGracePeriodSeconds: 30,
      containers: [
        {
          ...container("app"),
          command: ["sh", "-c", `${lastWords}; echo up; while :; do sleep 1; done`],
          lifecycle: { preStop },
        },
      ],
    },
  });
  const ready = ["wait", "--for=condition=Ready", "pod/ending", "--timeout=240s"];
  await cluster.kubectl(["-n", NAMESPACE, ...ready]);
  const pod = ["-n", NAMESPACE, "logs", "ending", "-c", "app"];
  await until("the pod's first word", async () => {
    const { stdout } = await cluster.tryKubectl(pod);
    return stdout.includes("up") ? true : undefined;
  });
  const logs = cluster.tryKubectl([...pod, "-f"]);
  await cluster.kubectl(["-n", NAMESPACE, "delete", "pod", "ending", "--timeout=240s"]);
  const lines = (await logs).stdout.split("\n").filter((line) => line.startsWith("{"));
  const seen = lines.map((line) => JSON.parse(line) as object);
  expect(seen).toMatchObject([
    { status: 200, body: { path: "/hook" } },
    { status: 200, body: { path: "/last-words" } },
  ]);
});

function calling(path: string): readonly string[] {
  return appCommand(["call", `http://${api.serviceAddress}:${api.port}${path}`]);
}

function podSpec(): object {
  return {
    serviceAccountName: CALLER,
    nodeSelector: { "kubernetes.io/hostname": "node1" },
    volumes: [{ name: "app", configMap: { name: "api" } }],
  };
}

function container(name: string): object {
  const volumeMounts = [{ name: "app", mountPath: "/app" }];
  return { name, image: WEFT_IMAGE, imagePullPolicy: "Never", volumeMounts };
}

async function apply(object: object): Promise<void> {
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(object));
}
