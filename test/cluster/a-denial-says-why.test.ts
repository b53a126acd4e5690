/** `weftctl why` and `weftctl authz list` in a real cluster: a call that was refused, by its id in the access log, and calls that nobody made. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { type CommandResult, tryCommand } from "./command.ts";
import { call, createNamespace, deployEcho, type Echo } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { enforce, type MeshObject, untilCaptured } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "asking";
const WEFTCTL = join(import.meta.dirname, "..", "..", "cli", "weftctl");
const DENY: MeshObject = {
  apiVersion: "weft.dev/v1",
  kind: "AuthorizationPolicy",
  metadata: { name: "no-guest", namespace: NAMESPACE },
  spec: {
    selector: { matchLabels: { app: "shop" } },
    action: "DENY",
    rules: [{ from: [{ source: { serviceAccounts: ["guest"] } }] }],
  },
};
let shop: Echo;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  const [guest, web, served] = await Promise.all([
    deployEcho(cluster, { namespace: NAMESPACE, name: "guest", node: "node1" }),
    deployEcho(cluster, { namespace: NAMESPACE, name: "web", node: "node1" }),
    deployEcho(cluster, { namespace: NAMESPACE, name: "shop", node: "node2" }),
  ]);
  shop = served;
  await untilCaptured(cluster, [...guest.pods, ...web.pods, ...shop.pods]);
  await enforce(cluster, DENY);
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("a real denial is told of by its id, also once its policy is gone", async () => {
  const from = { namespace: NAMESPACE, pod: "deployment/guest" };
  const refused = await call(cluster, from, `http://${shop.serviceAddress}:8080/`);
  expect(refused).toHaveProperty("error");
  const id = await until("the denial in the access log", deniedId);
  const then = await weftctl("why", id, "-o", "json");
  expect({ code: then.code, answer: JSON.parse(then.stdout) }).toMatchObject({
    code: 1,
    answer: {
      node: "node2",
      decided: "same",
      attempt: {
        code: "denied_by_policy",
        decided: { policy: `${NAMESPACE}/no-guest`, rule: 0 },
        facts: {
          peer: { namespace: NAMESPACE, serviceAccount: "guest" },
          destinationPort: 8080,
        },
      },
      now: { enforced: "yes", outcome: { kind: "deny", policy: `${NAMESPACE}/no-guest` } },
    },
  });
  await cluster.kubectl(["-n", NAMESPACE, "delete", "authorizationpolicy", "no-guest"]);
  const since = await until("the node to follow", async () => {
    const { code, stdout } = await weftctl("why", id, "-o", "json");
    return code === 0 ? (JSON.parse(stdout) as object) : undefined;
  });
  expect(since).toMatchObject({ decided: "gone", now: { outcome: { kind: "permit" } } });
  await enforce(cluster, DENY);
});

test("an imagined call is judged by the node of the pod called, as the real one is", async () => {
  const to = `${NAMESPACE}/shop:8080`;
  const guest = await weftctl("why", "--from", `sa:${NAMESPACE}/guest`, "--to", to);
  expect(guest.code).toBe(1);
  expect(guest.stdout).toMatch(/^DENY .*: DENY asking\/no-guest rule 0 matches/);
  const web = await weftctl("why", "--from", `sa:${NAMESPACE}/web`, "--to", to, "-o", "json");
  expect({ code: web.code, answer: JSON.parse(web.stdout) }).toMatchObject({
    code: 0,
    answer: { verdict: "permit", targets: [{ node: "node2", judgement: { enforced: "yes" } }] },
  });
});

test("authz list names the policy that applies to the pod, and why it does", async () => {
  const name = `${NAMESPACE}/${shop.pods[0]?.name ?? ""}`;
  const { code, stdout } = await weftctl("authz", "list", name, "-o", "json");
  expect({ code, list: JSON.parse(stdout) }).toMatchObject({
    code: 0,
    list: {
      pod: name,
      node: "node2",
      meshed: true,
      captured: true,
      policies: [{ policy: `${NAMESPACE}/no-guest`, from: "selector", selects: ["app=shop"] }],
    },
  });
});

/** Of the latest denial by our policy, in the logs of the node proxies. */
async function deniedId(): Promise<string | undefined> {
  const logs = ["-n", "weft-system", "logs", "-l", "app=weft-node-proxy", "--tail=2000"];
  const lines = (await cluster.kubectl(logs)).split("\n");
  const line = lines.findLast((each) => each.includes(`"policy":"${NAMESPACE}/no-guest"`));
  return /"denial":"([0-9a-z-]+)"/.exec(line ?? "")?.[1];
}

function weftctl(...args: readonly string[]): Promise<CommandResult> {
  return tryCommand([WEFTCTL, ...args, `--kubeconfig=${cluster.kubeconfig}`]);
}
