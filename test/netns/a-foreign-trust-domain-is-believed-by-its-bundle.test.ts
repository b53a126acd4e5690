/**
 * Federation on the wire: a caller of another trust domain is refused, believed while a TrustBundle vouches for its
 * root, and refused again, its open tunnels ended, once the object goes. Never as one of ours.
 */
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { compileAuthorization } from "../../operator/compile/authorization.ts";
import { ClusterIndex } from "../../operator/index/cluster-index.ts";
import { parseAuthorizationPolicy } from "../../operator/resources/authorization-policy.ts";
import { type KubeObject, parseKubeObject } from "../../operator/resources/kube-object.ts";
import { createCraftedRoot, uriName } from "../fakes/crafted-ca.ts";
import { APP_PORT, type AttackMesh, createAttackMesh, IDENTITY_A } from "./attack-mesh.ts";
import { connectTo, headers, type RawHttp2, startTls, type TlsAttack } from "./raw-http2.ts";
import { enrolment } from "./traffic-mesh.ts";

const PARTNER = createCraftedRoot("partner root");
const CALLER = "spiffe://partner.example/ns/billing/sa/caller";
const POLICY = "shop/partner";

let attacks: AttackMesh;
let index: ClusterIndex;

beforeAll(async () => {
  attacks = await createAttackMesh("wt-fed");
  const { mesh } = attacks;
  index = new ClusterIndex({ rootNamespace: "weft-system" });
  index.setBundle({
    trustDomain: "cluster.local",
    roots: [mesh.root.der],
    issuer: "",
    retired: [],
  });
  // What the operator would send is what the node gets.
  index.watch("node-b", (changes) => mesh.b.traffic.onMessage({ kind: "changes", changes }, []));
});

afterAll(async () => {
  await attacks[Symbol.asyncDispose]();
});

function partner(root = PARTNER, name = "partner"): KubeObject {
  const parsed = parseKubeObject({
    apiVersion: "weft.dev/v1",
    kind: "TrustBundle",
    metadata: { name },
    spec: { trustDomain: `${name}.example`, roots: formatCertificatesPem([root.der]) },
  });
  if (parsed.kind === "refused") throw new Error(parsed.reasons.join());
  return parsed.value;
}

function apply(kind: "upsert" | "delete", object = partner()): void {
  index.apply({ kind, object });
  index.deliver();
}

function caller(uri = CALLER, by = PARTNER): TlsAttack {
  return attacks.credentials({ names: [uriName(uri)] }, by);
}

async function handshakeFails(attack: TlsAttack): Promise<void> {
  const tls = startTls(attacks.dial(), attack);
  await new Promise((resolve) => tls.once("close", resolve));
}

function call(attack: TlsAttack): RawHttp2 {
  const tunnel = attacks.tunnel(attack);
  tunnel.send(headers(1, connectTo(`${attacks.mesh.network.b.v4}:${APP_PORT}`)));
  return tunnel;
}

test("federation: without a TrustBundle a foreign caller is nobody", async () => {
  const { facts } = await attacks.refused("peer_not_authorized", () => handshakeFails(caller()));
  expect(facts.source.identity).toBe("");
});

test("federation: with one the caller is known by its foreign name, and by no name of ours", async () => {
  apply("upsert");
  const { mesh } = attacks;
  const told = mesh.b.nextEnded();
  const tunnel = call(caller());
  expect(await tunnel.answer(1)).toBe(200);
  tunnel.destroy();
  expect((await told).facts.source.identity).toBe(CALLER);
  // Its root vouches for its own trust domain only; ours for ours only.
  for (const attack of [caller(IDENTITY_A), caller(CALLER, mesh.root)]) {
    await attacks.refused("peer_trust_domain", () => handshakeFails(attack));
  }
  const third = caller("spiffe://third.example/ns/billing/sa/caller");
  await attacks.refused("peer_trust_domain", () => handshakeFails(third));
});

test("federation: a policy names principals of the foreign trust domain", async () => {
  const { mesh } = attacks;
  const parsed = parseAuthorizationPolicy(
    {
      apiVersion: "weft.dev/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "partner", namespace: "shop" },
      spec: {
        rules: [
          {
            from: [
              { source: { principals: ["partner.example/ns/billing/sa/caller"] } },
              { source: { principals: ["cluster.local/ns/shop/sa/a"] } },
            ],
          },
        ],
      },
    },
    { rootNamespace: "weft-system" },
  );
  const value = compileAuthorization(parsed)?.policy;
  if (!value) throw new Error("the policy is not understood");
  mesh.put({ kind: "policy", value }, enrolment(mesh.network.b, "b", { policies: [POLICY] }));
  const allowed = call(caller());
  expect(await allowed.answer(1)).toBe(200);
  allowed.destroy();
  const denied = call(caller("spiffe://partner.example/ns/shop/sa/a"));
  expect(await denied.answer(1)).toBe(401);
  denied.destroy();
  mesh.put(enrolment(mesh.network.b, "b", {}));
});

test("federation: the object's end closes open tunnels of its callers and nobody else's", async () => {
  apply("upsert");
  const socket = attacks.dial();
  const closed = once(socket, "close");
  const tunnel = attacks.tunnelOver(socket, caller());
  tunnel.send(headers(1, connectTo(`${attacks.mesh.network.b.v4}:${APP_PORT}`)));
  expect(await tunnel.answer(1)).toBe(200);
  const own = call(attacks.credentials());
  expect(await own.answer(1)).toBe(200);
  apply("delete");
  await closed;
  await attacks.refused("peer_not_authorized", () => handshakeFails(caller()));
  // The own one was not touched: another stream on it is carried.
  own.send(headers(3, connectTo(`${attacks.mesh.network.b.v4}:${APP_PORT}`)));
  expect(await own.answer(3)).toBe(200);
  own.destroy();
});

test("federation: a trust domain that goes is gone, also where its root stays for another one", async () => {
  apply("upsert");
  apply("upsert", partner(PARTNER, "third"));
  const socket = attacks.dial();
  const closed = once(socket, "close");
  const tunnel = attacks.tunnelOver(socket, caller());
  tunnel.send(headers(1, connectTo(`${attacks.mesh.network.b.v4}:${APP_PORT}`)));
  expect(await tunnel.answer(1)).toBe(200);
  apply("delete");
  await closed;
  await attacks.refused("peer_trust_domain", () => handshakeFails(caller()));
  apply("delete", partner(PARTNER, "third"));
});

test("federation: another root in the object closes tunnels under the one before", async () => {
  apply("upsert");
  const socket = attacks.dial();
  const closed = once(socket, "close");
  const tunnel = attacks.tunnelOver(socket, caller());
  tunnel.send(headers(1, connectTo(`${attacks.mesh.network.b.v4}:${APP_PORT}`)));
  expect(await tunnel.answer(1)).toBe(200);
  const next = createCraftedRoot("partner's next root");
  apply("upsert", partner(next));
  await closed;
  const renewed = call(caller(CALLER, next));
  expect(await renewed.answer(1)).toBe(200);
  renewed.destroy();
  apply("delete");
});
