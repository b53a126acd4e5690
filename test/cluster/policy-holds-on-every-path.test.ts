/** Authorization in a real cluster: by service address, by pod address, across nodes and on one. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type CallOutcome, call, createNamespace, deployEcho, type Echo } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { enforce, type MeshObject, untilCaptured } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";
import { openTalk } from "./talk.ts";

const cluster = sharedCluster();
const NAMESPACE = "guarded";
let far: Echo;
let near: Echo;
let store: Echo;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  const [web, guest, ...servers] = await Promise.all([
    deploy("web", "node1"),
    deploy("guest", "node1"),
    deploy("far", "node2"),
    deploy("near", "node1"),
    deploy("store", "node2", ["server-first", "8080"]),
  ]);
  [far, near, store] = servers;
  await untilCaptured(
    cluster,
    [web, guest, ...servers].flatMap(({ pods }) => pods),
  );
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("before there is a policy everyone may", async () => {
  for (const address of addresses()) {
    expect(await ask("web", address)).toMatchObject({ status: 200 });
    expect(await ask("guest", address)).toMatchObject({ status: 200 });
  }
});

describe("with an ALLOW for one service account", () => {
  beforeAll(async () => {
    const rules = [{ from: [{ source: { serviceAccounts: [`${NAMESPACE}/web`] } }] }];
    for (const app of ["far", "near"]) {
      await enforce(cluster, policy(`allow-${app}`, { selector: select(app), rules }));
    }
  });

  test("it gets in on every path, and nobody else does on any", async () => {
    for (const address of addresses()) {
      expect(await ask("web", address)).toMatchObject({ status: 200 });
      expect(await ask("guest", address)).toHaveProperty("error");
    }
  });

  test("a DENY of it wins on every path", async () => {
    const rules = [
      { from: [{ source: { principals: [`cluster.local/ns/${NAMESPACE}/sa/web`] } }] },
    ];
    for (const app of ["far", "near"]) {
      const spec = { action: "DENY", selector: select(app), rules };
      await enforce(cluster, policy(`deny-${app}`, spec));
    }
    for (const address of addresses()) {
      expect(await ask("web", address)).toHaveProperty("error");
    }
  });
});

test("a DENY closes the open connection that it forbids, and leaves the others", async () => {
  const to = { host: store.serviceAddress, port: store.port };
  await using forbidden = await openTalk(cluster, { from: client("guest"), to });
  await using allowed = await openTalk(cluster, { from: client("web"), to });
  const rules = [{ from: [{ source: { serviceAccounts: [`${NAMESPACE}/guest`] } }] }];
  const spec = { action: "DENY", selector: select("store"), rules };
  await enforce(cluster, policy("deny-store", spec));
  await expect(forbidden.next()).rejects.toThrow("the conversation has ended");
  allowed.say("still here");
  expect(await allowed.next()).toBe("still here");
});

function deploy(name: string, node: string, role = ["http", "8080"]): Promise<Echo> {
  return deployEcho(cluster, { namespace: NAMESPACE, name, node, role });
}

function addresses(): readonly string[] {
  return [far, near].flatMap(({ serviceAddress, pods }) => [
    serviceAddress,
    ...pods.map(({ address }) => address),
  ]);
}

function ask(name: string, address: string): Promise<CallOutcome> {
  return call(cluster, client(name), `http://${address}:8080/`);
}

function client(name: string): { namespace: string; pod: string } {
  return { namespace: NAMESPACE, pod: `deployment/${name}` };
}

function select(app: string): object {
  return { matchLabels: { app } };
}

function policy(name: string, spec: Readonly<Record<string, unknown>>): MeshObject {
  const metadata = { name, namespace: NAMESPACE };
  return { apiVersion: "weft.dev/v1", kind: "AuthorizationPolicy", metadata, spec };
}
