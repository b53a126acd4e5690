/** What a user is told of an object: refused with the field and the reason, or its conditions. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createCraftedRoot } from "../fakes/crafted-ca.ts";
import { createNamespace, deployEcho } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { enforce, type MeshObject, untilCaptured } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "objects";
const ROOT = createCraftedRoot("partner");
const PEM = formatCertificatesPem([ROOT.der]);
const KEY = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
const UNREADABLE = { rules: [{ from: [{ source: { ipBlocks: ["10.0.0.0/99"] } }] }] };

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  const { pods } = await deployEcho(cluster, { namespace: NAMESPACE, name: "api" });
  await untilCaptured(cluster, pods);
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test.each([
  [policy({ action: "MAYBE" }), "spec.action: Unsupported value"],
  [policy(UNREADABLE), "spec.rules[0].from[0].source.ipBlocks[0]: must be an address"],
  [
    policy({ rules: [{ to: [{ operation: { ports: ["70000"] } }] }] }),
    "spec.rules[0].to[0].operation.ports[0]: Invalid value",
  ],
  [
    policy({ rules: [{ when: [{ key: "no.such", values: ["x"] }] }] }),
    "spec.rules[0].when[0].key: Invalid value",
  ],
  [
    object("PeerAuthentication", { portLevelMtls: { "8080": { mode: "STRICT" } } }),
    "portLevelMtls needs a selector with labels",
  ],
  [
    object("MeshConfig", { certificates: { leafLifetime: "5s" } }, "default"),
    "spec.certificates.leafLifetime: Invalid value",
  ],
  [object("MeshConfig", {}, "other"), "there is one MeshConfig, named default"],
  [trust("Partner"), "spec.trustDomain: Invalid value"],
  [trust("partner.example", "no PEM"), "spec.roots: Invalid value"],
  [trust("partner.example", PEM + KEY), "must be certificates only"],
  [trust("partner.example", PEM.slice(0, -40)), "spec.roots: must be certificates in PEM"],
])("%j is refused, with the field and the reason", async (bad, reason) => {
  const { code, stderr } = await cluster.tryKubectl(["apply", "-f", "-"], JSON.stringify(bad));
  expect(code).not.toBe(0);
  expect(stderr).toContain(reason);
});

test("a policy that is understood is Accepted, and Enforced on the nodes that it concerns", async () => {
  const good = policy({ selector: { matchLabels: { app: "api" } }, action: "DENY", rules: [{}] });
  await enforce(cluster, good);
  expect(await conditions("good")).toEqual({ Accepted: "True", Enforced: "True: 1 of 1 nodes" });
});

test("an attribute of HTTP, which nothing can see yet, is named in the condition", async () => {
  const rules = [{ to: [{ operation: { methods: ["GET"] } }] }];
  await enforce(cluster, policy({ rules }, "http-only"));
  const jsonpath = 'jsonpath={.status.conditions[?(@.type=="Accepted")].message}';
  const read = ["-n", NAMESPACE, "get", "authorizationpolicy", "http-only", "-o", jsonpath];
  const field = "spec.rules[0].to[0].operation.methods: cannot be seen on an opaque port";
  expect(await cluster.kubectl(read)).toContain(field);
});

test.each([
  [policy({ selector: { matchLabels: { app: "typo" } } }), "spec.selector: selects no pod"],
  [
    policy({ targetRefs: [{ kind: "Service", name: "gone" }], rules: [{}] }),
    "there is no Service gone in objects",
  ],
  [
    policy({ rules: [{ to: [{ operation: { methods: ["GET"] } }] }] }),
    "spec.rules[0].to[0].operation.methods: cannot be seen on an opaque port",
  ],
  [
    policy({ rules: [{ from: [{ source: { notIpBlocks: ["10.0.0.1"] } }] }] }),
    "spec.rules[0]: has only negative fields",
  ],
  [
    policy({ action: "CUSTOM", provider: { name: "opa" }, rules: [{}] }),
    "spec.provider: no such provider is configured",
  ],
])("%j is accepted with a warning on the terminal", async (odd, warning) => {
  const asked = await cluster.tryKubectl(
    ["apply", "--dry-run=server", "-f", "-"],
    JSON.stringify(odd),
  );
  expect(asked).toMatchObject({ code: 0 });
  expect(asked.stderr).toMatch(/^Warning: /);
  expect(asked.stderr).toContain(warning);
});

test("kubectl get shows of each policy what it does, whether it is enforced, and where", async () => {
  const rules = [{ to: [{ operation: { methods: ["GET"] } }] }];
  const selector = { matchLabels: { app: "api" } };
  await enforce(cluster, policy({ selector, action: "AUDIT", rules }, "shown"));
  const shown = await cluster.kubectl(["-n", NAMESPACE, "get", "ap", "shown", "-o", "wide"]);
  const [header = "", line = ""] = shown.trim().split("\n");
  expect(header.split(/\s{2,}|\s(?=AGE)/)).toEqual(
    expect.arrayContaining(["NAME", "ACTION", "ACCEPTED", "ENFORCED", "NODES", "REASON", "AGE"]),
  );
  expect(line.split(/\s+/).slice(0, 6)).toEqual([
    "shown",
    "AUDIT",
    "True",
    "True",
    "1/1",
    "Enforced",
  ]);
  expect(line).toContain("spec.rules[0].to[0].operation.methods");
});

test("a TrustBundle is Enforced on every node, its trust domain is fixed, and nobody speaks for ours", async () => {
  await enforce(cluster, trust("partner.example"));
  const moved = JSON.stringify(trust("other.example"));
  const { stderr } = await cluster.tryKubectl(["apply", "-f", "-"], moved);
  expect(stderr).toContain("is fixed");
  await cluster.kubectl(["delete", "trustbundle", "good"]);
  const takeover = JSON.stringify(trust("cluster.local"));
  await cluster.kubectl(["apply", "-f", "-"], takeover);
  const reason = `--for=jsonpath={.status.conditions[?(@.type=="Accepted")].reason}=OwnTrustDomain`;
  await cluster.kubectl(["wait", reason, "--timeout=240s", "trustbundle", "good"]);
  await cluster.kubectl(["delete", "trustbundle", "good"]);
});

test("one that got past admission is marked, and hurts nothing else", async () => {
  await cluster.kubectl(["delete", "validatingwebhookconfiguration", "weft"]);
  const unreadable = policy(UNREADABLE, "unreadable");
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(unreadable));
  const accepted = "--for=condition=Accepted=False";
  const name = ["-n", NAMESPACE, "authorizationpolicy", "unreadable"];
  await cluster.kubectl(["wait", accepted, "--timeout=240s", ...name]);
  const jsonpath = 'jsonpath={.status.conditions[?(@.type=="Accepted")].message}';
  const message = await cluster.kubectl(["get", ...name, "-o", jsonpath]);
  expect(message).toContain("spec.rules[0].from[0].source.ipBlocks[0]");
  await enforce(cluster, policy({ action: "DENY", rules: [{}] }, "after-it"));
  await installWeft(cluster);
});

function policy(spec: MeshObject["spec"], name = "good"): MeshObject {
  return object("AuthorizationPolicy", spec, name);
}

function trust(trustDomain: string, roots = PEM): MeshObject {
  return object("TrustBundle", { trustDomain, roots });
}

function object(kind: MeshObject["kind"], spec: MeshObject["spec"], name = "good"): MeshObject {
  const isOfCluster = kind === "MeshConfig" || kind === "TrustBundle";
  const metadata = isOfCluster ? { name } : { name, namespace: NAMESPACE };
  return { apiVersion: "weft.dev/v1", kind, metadata, spec };
}

/** Status by type, with the message where it is Enforced. */
async function conditions(name: string): Promise<Readonly<Record<string, string>>> {
  const json = await cluster.kubectl([
    "-n",
    NAMESPACE,
    "get",
    "authorizationpolicy",
    name,
    "-o",
    "json",
  ]);
  const { status } = JSON.parse(json) as {
    readonly status: {
      readonly conditions: readonly {
        readonly type: string;
        readonly status: string;
        readonly message: string;
      }[];
    };
  };
  return Object.fromEntries(
    status.conditions.map(({ type, status: state, message }) => [
      type,
      type === "Enforced" ? `${state}: ${message}` : state,
    ]),
  );
}
