/**
 * Who can read the CA's key? Asked of a real API server for every service account that there is, by its authorizer and by
 * real requests with real tokens: the operator can, and nobody else.
 */
import { beforeAll, expect, test } from "@jest/globals";
import { installWeft } from "./install-weft.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const OPERATOR = "weft-system/weft-operator";
const SECRET = ["-n", "weft-system", "secret/weft-ca"];
/** Ways to the key: the Secret itself, lists and watches of Secrets, somebody else's token, a process of the operator's. */
const WAYS: readonly (readonly string[])[] = [
  ["get", "-n", "weft-system", "secrets/weft-ca"],
  ["list", "-n", "weft-system", "secrets"],
  ["watch", "-n", "weft-system", "secrets"],
  ["list", "-A", "secrets"],
  ["create", "-n", "weft-system", "serviceaccounts/weft-operator", "--subresource=token"],
  ["create", "-n", "weft-system", "pods", "--subresource=exec"],
  ["create", "-n", "weft-system", "pods"],
];
/** What the control plane's own controllers may, in any cluster: not of Weft's making. */
const CONTROL_PLANE = "kube-system/";
let accounts: readonly string[];

beforeAll(async () => {
  await installWeft(cluster);
  const path = "{range .items[*]}{.metadata.namespace}/{.metadata.name} {end}";
  const list = await cluster.kubectl(["get", "serviceaccounts", "-A", "-o", `jsonpath=${path}`]);
  accounts = list.trim().split(" ");
});

async function may(account: string, way: readonly string[]): Promise<boolean> {
  const [namespace, name] = account.split("/");
  const as = `--as=system:serviceaccount:${namespace}:${name}`;
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
  const who = [as, ...groups.map((group) => `--as-group=${group}`)];
  const { stdout } = await cluster.tryKubectl(["auth", "can-i", ...way, ...who]);
  return stdout.trim() === "yes";
}

test("by the authorizer only the operator gets the Secret, and nobody any other way to it", async () => {
  expect(accounts).toEqual(expect.arrayContaining([OPERATOR, "weft-system/weft-node-proxy"]));
  const able: string[] = [];
  for (const account of accounts.filter((one) => !one.startsWith(CONTROL_PLANE))) {
    const answers = await Promise.all(WAYS.map((way) => may(account, way)));
    for (const [i, isAble] of answers.entries()) {
      if (isAble) able.push(`${account} ${WAYS[i]?.join(" ")}`);
    }
  }
  expect(able).toEqual([`${OPERATOR} get -n weft-system secrets/weft-ca`]);
});

test("with a real token of every account only the operator's reads the key", async () => {
  const readers: string[] = [];
  for (const account of accounts.filter((one) => !one.startsWith(CONTROL_PLANE))) {
    const [namespace = "", name = ""] = account.split("/");
    const created = await cluster.tryKubectl(["-n", namespace, "create", "token", name]);
    // Of a namespace that a test before is deleting.
    if (created.stderr.includes("not found")) continue;
    const token = created.stdout;
    expect(token).not.toBe("");
    // The administrator's certificate would win over the token: a kubeconfig of its own has none.
    const read = [`--kubeconfig=/dev/null`, `--token=${token.trim()}`, ...(await server())];
    const { stdout } = await cluster.tryKubectl([...read, "get", ...SECRET, "-o", "name"]);
    if (stdout.includes("secret/weft-ca")) readers.push(account);
  }
  expect(readers).toEqual([OPERATOR]);
});

/** The API server's address and CA, as flags. */
async function server(): Promise<readonly string[]> {
  const view = ["config", "view", "--raw", "--minify", "-o"];
  const address = await cluster.kubectl([...view, "jsonpath={.clusters[0].cluster.server}"]);
  return [`--server=${address}`, "--insecure-skip-tls-verify=true"];
}

test("the node proxy has no token for the API server, and the operator's lies nowhere else", async () => {
  const path = "{.spec.template.spec.automountServiceAccountToken}";
  const get = ["-n", "weft-system", "get", "daemonset", "weft-node-proxy"];
  expect(await cluster.kubectl([...get, "-o", `jsonpath=${path}`])).toBe("false");
});
