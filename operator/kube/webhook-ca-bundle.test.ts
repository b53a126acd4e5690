import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { KubeObjectServer } from "../../test/fakes/kube-object-server.ts";
import { writeCaBundle } from "./webhook-ca-bundle.ts";

const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
const MUTATING = `${REGISTRATION}/mutatingwebhookconfigurations/weft`;
const service = { name: "weft-operator" };
const ROOTS = Buffer.from("roots").toString("base64");
const OTHERS = Buffer.from("others").toString("base64");

let server: KubeObjectServer;

beforeEach(async () => {
  server = new KubeObjectServer();
  await server.start();
  server.put(MUTATING, {
    metadata: { name: "weft" },
    webhooks: [
      { name: "one.weft.dev", clientConfig: { service }, timeoutSeconds: 5 },
      { name: "two.weft.dev", clientConfig: { service, caBundle: OTHERS } },
    ],
  });
});

afterEach(async () => {
  await server.stop();
});

function bundles(): readonly unknown[] {
  const { webhooks } = server.get(MUTATING) as {
    readonly webhooks: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
  };
  return webhooks.map(({ clientConfig }) => clientConfig.caBundle);
}

async function write(onlyIfEmpty: boolean): Promise<number> {
  return writeCaBundle(server.client(), { name: "weft", rootsPem: "roots", onlyIfEmpty });
}

test("writeCaBundle(): a leader puts every bundle right, and nothing else is touched", async () => {
  expect(await write(false)).toBe(1);
  expect(bundles()).toEqual([ROOTS, ROOTS]);
  expect(server.get(MUTATING)).toMatchObject({
    webhooks: [{ timeoutSeconds: 5, clientConfig: { service } }, { clientConfig: { service } }],
  });
  expect(await write(false)).toBe(0);
  expect(server.writes).toHaveLength(1);
});

test("writeCaBundle(): another replica only fills in what is empty", async () => {
  expect(await write(true)).toBe(1);
  expect(bundles()).toEqual([ROOTS, OTHERS]);
});

test("writeCaBundle(): configurations that are not installed are no error, an API server that fails is", async () => {
  await server.client().call({ method: "DELETE", path: MUTATING });
  expect(await write(false)).toBe(0);
  server.isFailing = true;
  await expect(write(false)).rejects.toMatchObject({ reason: "unavailable" });
});
