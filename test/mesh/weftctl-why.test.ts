/** The real weftctl as its own process, asked why: by files, and by node proxies behind an API server that forwards ports. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { readMeshFromFiles } from "../../cli/why/mesh-from-files.ts";
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import type { Resource } from "../../core/model/resource.ts";
import { AdminServer } from "../../core/process/admin.ts";
import { createLog } from "../../core/process/log.ts";
import { KeptDenials } from "../../nodeproxy/denials/kept-denials.ts";
import { NO_PARTY } from "../../nodeproxy/flow/connection-facts.ts";
import { whyRoutes } from "../../nodeproxy/why-routes.ts";
import { ForwardingApiServer } from "../fakes/forwarding-api-server.ts";
import { whyShopLists, writeWhyShop } from "../fakes/why-shop.ts";

const MAIN = new URL("../../cli/main.ts", import.meta.url).pathname;
const log = createLog({ name: "test", level: "fatal" });

let directory: string;
let api: ForwardingApiServer;
let nodes: readonly Node[];

interface Node {
  readonly name: string;
  readonly server: AdminServer;
  readonly port: number;
  readonly denials: KeptDenials;
  resources: readonly Resource[];
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "weft-why-"));
  writeWhyShop(directory);
  nodes = await Promise.all(["node-a", "node-b"].map(startNode));
});

afterAll(async () => {
  await Promise.all(nodes.map(({ server }) => server.close()));
  rmSync(directory, { recursive: true });
});

beforeEach(async () => {
  api = new ForwardingApiServer();
  await api.start();
  api.pods = nodes.map(({ name, port }) => ({
    pod: `np-${name}`,
    node: name,
    port,
    createdAt: "2",
  }));
});

afterEach(async () => {
  await api.stop();
});

/** What a node holds by the files, behind the routes of a real node proxy. */
async function startNode(name: string): Promise<Node> {
  const { index } = await readMeshFromFiles(directory, "weft-system");
  const denials = new KeptDenials({ node: name, policyOf: (ref) => policyOf(node, ref) });
  const routes = whyRoutes({
    node: name,
    resources: () => node.resources,
    denial: async (denial) => denials.answer({ kind: "denial_request", id: 1, denial }).attempt,
  });
  const server = new AdminServer({ routes, log });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const node: Node = {
    name,
    server,
    port,
    denials,
    resources: [...index.resourcesFor(name).values()],
  };
  return node;
}

function policyOf({ resources }: Node, ref: string): CompiledPolicy | undefined {
  const found = resources.find(({ name, body }) => body.kind === "policy" && name === ref);
  return found?.body.kind === "policy" ? found.body.value : undefined;
}

interface Outcome {
  readonly code: unknown;
  readonly shown: string;
  readonly said: string;
}

async function weftctl(...args: readonly string[]): Promise<Outcome> {
  const kubeconfig = join(directory, ".kubeconfig");
  writeFileSync(kubeconfig, api.kubeconfig());
  const child = spawn(
    process.execPath,
    ["--no-warnings", MAIN, ...args, `--kubeconfig=${kubeconfig}`],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const [shown, said, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { code, shown, said };
}

const CALL = ["why", "--from", "shop/web-1", "--to", "shop/api"];

function source(): string {
  return `--source=file:${directory}`;
}

test("weftctl why --source: the verdict first, then every endpoint with its policies, rules and clauses", async () => {
  const { code, shown, said } = await weftctl(...CALL, source());
  expect([code, said]).toEqual([1, ""]);
  const lines = shown.split("\n");
  expect(lines[0]).toBe(
    "MIXED pod shop/web-1 (spiffe://cluster.local/ns/shop/sa/web) -> service shop/api port 80: 1 of 2 endpoints permit, 1 deny",
  );
  expect(shown).toContain("  deny: DENY shop/no-post rule 0 matches (denied_by_policy)\n");
  expect(shown).toContain(
    "  not enforced as written: shop/no-post rule 0 to[0].methods (attribute_erased)\n",
  );
  expect(shown).toContain("      + from[0] serviceAccounts: wants shop/web, sees shop/web\n");
  expect(shown).toContain("      - from[0] notNamespaces: wants shop, sees shop\n");
  expect(shown).toContain("  DENY shop/trial does not match, dry run: never decides\n");
  expect(shown).toContain("  mode of the port (PeerAuthentication): STRICT: identity only\n");
  expect(shown).not.toContain("\u001b");
});

test("weftctl why --source: 0 where it is permitted, 1 for plaintext under STRICT, 2 for nobody's name", async () => {
  const permitted = await weftctl("why", "--from=shop/web", "--to=shop/api-1", source());
  expect(permitted.code).toBe(0);
  expect(permitted.shown).toMatch(
    /^PERMIT service account shop\/web .*: ALLOW shop\/web-only rule 0 matches\n/,
  );
  const plaintext = await weftctl(
    "why",
    "--from=203.0.113.7",
    "--to=shop/api-1",
    source(),
    "--json",
  );
  expect(plaintext.code).toBe(1);
  expect(JSON.parse(plaintext.shown)).toMatchObject({
    verdict: "deny",
    targets: [
      {
        workload: "shop/api-1",
        judgement: {
          arrives: "plaintext",
          mode: "STRICT",
          outcome: { kind: "deny", reason: "plaintext_refused" },
          explanation: { dryRun: "deny", outcome: { reason: "not_allowed" } },
        },
      },
    ],
  });
  const unknown = await weftctl("why", "--from=shop/web", "--to=shop/nobody", source());
  expect([unknown.code, unknown.shown]).toEqual([2, ""]);
  expect(unknown.said).toContain("no such Service");
});

test("weftctl why --source --http: policies see method, path, headers and the token's claims", async () => {
  const claims = Buffer.from(JSON.stringify({ iss: "https://idp.example", sub: "s" })).toString(
    "base64url",
  );
  const http = [
    "--http",
    "--method=GET",
    "--path=/a?b",
    "--header=X-Team=a",
    `--jwt=e30.${claims}.x`,
  ];
  const { code, shown, said } = await weftctl(...CALL, source(), ...http, "-o", "yaml");
  expect(code).toBe(0);
  expect(shown).toMatch(/^verdict: permit\n/);
  expect(said).toContain("as if the port were read as HTTP; the token is taken for verified");
  expect(shown).toContain("token: taken\n");
  expect(shown + said).not.toContain(claims);
});

test("weftctl why --source --http: a token of an issuer that nobody takes is refused, and said so", async () => {
  const claims = Buffer.from(JSON.stringify({ iss: "i", sub: "s" })).toString("base64url");
  const call = ["why", "--from=shop/web-1", "--to=shop/api-1", source()];
  const { code, shown } = await weftctl(...call, "--http", `--jwt=e30.${claims}.x`);
  expect(code).toBe(1);
  expect(shown).toMatch(
    /^DENY .*: no RequestAuthentication takes tokens of its issuer, so it is answered 401 \(issuer_unknown\)\n/,
  );
  expect(shown).toContain(
    "  tokens: RequestAuthentication shop/staff takes those of https://idp.example (header authorization: Bearer, parameter access_token)\n",
  );
});

test("weftctl authz list --source: what applies to a pod, from where, in the order of evaluation", async () => {
  const { code, shown } = await weftctl("authz", "list", "shop/api-2", source(), "--json");
  expect(code).toBe(0);
  expect(JSON.parse(shown)).toMatchObject({
    pod: "shop/api-2",
    node: "node-a",
    meshed: true,
    policies: [
      {
        policy: "shop/no-post",
        action: "DENY",
        from: "selector",
        selects: ["version=v2"],
        ignored: [{ field: "spec.rules[0].to[0].operation.methods", effect: "attribute_erased" }],
      },
      { policy: "shop/web-only", action: "ALLOW", selects: ["app=api"], ignored: [] },
      { policy: "shop/trial", dryRun: true, from: "namespace", selects: [] },
    ],
    modes: [
      { port: 8080, mode: "STRICT", policy: "shop/default", from: "namespace" },
      { port: 0, mode: "STRICT", policy: "shop/default", from: "namespace" },
    ],
    requestAuthentications: [
      { policy: "shop/staff", from: "selector", selects: ["app=api"], invalid: false },
    ],
  });
  expect((await weftctl("authz", "list", "shop/nobody", source())).code).toBe(2);
  const table = await weftctl("authz", "list", "shop/api-1", source());
  expect(table.shown).toMatch(/^shop\/web-only +ALLOW +selector app=api +1$/m);
  expect(table.shown).toMatch(/^any other +STRICT +namespace +shop\/default$/m);
  expect(table.shown).toMatch(/^shop\/staff +selector app=api +https:\/\/idp\.example$/m);
  const web = await weftctl("authz", "list", "shop/web-1", source());
  expect(web.shown).toContain("no RequestAuthentication applies: no token is looked at\n");
});

test("weftctl authz list: the objects of the cluster say the same as the files", async () => {
  const list = ["authz", "list", "shop/api-2", "--json"];
  api.lists = whyShopLists();
  const read = await weftctl(...list);
  const computed = await weftctl(...list, source());
  expect([read.code, read.said]).toEqual([0, ""]);
  // Of files every pod is taken for captured; no node has reported this one.
  const captured = JSON.parse(computed.shown) as object;
  expect(JSON.parse(read.shown)).toEqual({ ...captured, captured: false });
});

test("weftctl why: each endpoint is judged by the node that enforces it, as the files say", async () => {
  const asked = await weftctl(...CALL, "--json");
  const computed = await weftctl(...CALL, source(), "--json");
  expect([asked.code, asked.said]).toEqual([1, ""]);
  expect(JSON.parse(asked.shown)).toEqual(JSON.parse(computed.shown));
});

test("weftctl why: a node that cannot be asked makes it unknown, and says why", async () => {
  const call = ["why", "--from=shop/web-1", "--to=shop/api-1", "--json"];
  const [a] = api.pods;
  const silent = { pod: "np-b", node: "node-b", port: 0, createdAt: "2" };
  api.pods = a ? [a, silent] : [];
  const { code, shown } = await weftctl(...call);
  expect(code).toBe(2);
  expect(JSON.parse(shown)).toMatchObject({
    verdict: "unknown",
    targets: [{ problem: "weft-system/np-b:15000: nothing listens on 15000" }],
  });
  api.refusal = 403;
  const refused = await weftctl(...call);
  expect([refused.code, refused.shown]).toEqual([2, ""]);
  expect(refused.said).toContain("needs the right to get and create pods/portforward");
});

test("weftctl why ID: what was seen, what decided, and what the policies of now make of it", async () => {
  const [node] = nodes;
  if (!node) throw new Error("no node");
  const peer = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web" };
  const facts = {
    direction: "inbound",
    sinceMs: 0,
    pod: "uid-api-2",
    source: { ...NO_PARTY, namespace: "shop", name: "web-1" },
    sourceAddress: "10.0.0.1:4000",
    destination: { ...NO_PARTY, namespace: "shop", name: "api-2" },
    destinationAddress: "10.0.0.2:8080",
    upstreamAddress: "10.0.0.2:8080",
    service: "",
    tunnelled: true,
    attempt: {
      peer,
      sourceIp: [10, 0, 0, 1],
      destinationIp: [10, 0, 0, 2],
      destinationPort: 8080,
    },
  } as const;
  const nothing = { carried: false, bytesSent: 0, bytesReceived: 0 };
  const decided = { code: "denied_by_policy", policy: "shop/no-post", rule: 0 };
  const id = node.denials.note(facts, { ...nothing, ...decided }) ?? "";
  // The pod of the node proxy before, in an upgrade, keeps nothing.
  const older = { pod: "np-old", node: "node-a", port: nodes[1]?.port ?? 0, createdAt: "3" };
  api.pods = [...api.pods, older];
  const same = await weftctl("why", id);
  expect(same.code).toBe(1);
  expect(same.shown).toMatch(
    /^DENIED then by shop\/no-post rule 0 \(denied_by_policy\); now: deny, /,
  );
  expect(same.shown).toContain(
    "from pod shop/web-1 (10.0.0.1:4000), spiffe://cluster.local/ns/shop/sa/web",
  );
  expect(same.shown).toContain("that policy has not changed since");
  const before = node.resources;
  node.resources = before.filter(({ name }) => name !== "shop/no-post").map(withoutNoPost);
  const gone = await weftctl("why", id, "--json");
  node.resources = before;
  expect(gone.code).toBe(0);
  expect(JSON.parse(gone.shown)).toMatchObject({
    decided: "gone",
    attempt: { code: "denied_by_policy", facts: { peer, sourceIp: "10.0.0.1" } },
    now: { outcome: { kind: "permit", by: { policy: "shop/web-only", rule: 0 } } },
  });
  const other = await weftctl("why", `${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`);
  expect(other.code).toBe(2);
  expect(other.said).toContain("not kept any more on node node-a");
});

function withoutNoPost(resource: Resource): Resource {
  const { body } = resource;
  if (body.kind !== "enrolment") return resource;
  const policies = body.value.policies.filter((ref) => ref !== "shop/no-post");
  return { ...resource, body: { ...body, value: { ...body.value, policies } } };
}
