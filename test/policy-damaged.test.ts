/**
 * Policies that got past admission damaged: each field in turn holds what it must not. The policy then
 * counts as invalid, everything else rules as before, and nobody gets in who did not before.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import type { CompiledPolicy } from "../core/model/authorization-policy.ts";
import { decodeResource } from "../core/wire/decode-resource.ts";
import { encodeResource } from "../core/wire/encode-resource.ts";
import * as wire from "../core/wire/gen/weft/v1/node_pb.ts";
import type { Attempt } from "../nodeproxy/authz/attempt.ts";
import { decide } from "../nodeproxy/authz/decide.ts";
import { attemptOf } from "./authz-oracle/ask-product.ts";
import { randomAttempt } from "./authz-oracle/random-attempts.ts";
import { damagedAt, type Path, pathsIn } from "./damaged-spec.ts";
import { SeededRandom } from "./fakes/seeded-random.ts";
import { A, allow, B, deciderOf, deny, policyOf, source, type Written } from "./policy-language.ts";

type Spec = Written["spec"];
type Action = "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";

const ISSUER = "https://idp.example";

/** Every field and every key of the language, so that each can be damaged. */
function whole(action: Action): Spec {
  return {
    action,
    selector: { matchLabels: { app: "api" } },
    ...(action === "CUSTOM" ? { provider: { name: "opa" } } : {}),
    rules: [
      {
        from: [{ source: everySource() }],
        to: [{ operation: everyOperation() }],
        when: everyKey(),
      },
      source({ principals: ["*"] }),
    ],
  };
}

function everySource(): Spec {
  return {
    principals: [A, "*/sa/web"],
    notPrincipals: [B],
    namespaces: ["shop", "sho*"],
    notNamespaces: ["ops"],
    serviceAccounts: ["shop/web", "web"],
    notServiceAccounts: ["ops/monitor"],
    trustDomains: ["cluster.local"],
    notTrustDomains: ["evil.example"],
    ipBlocks: ["10.0.0.0/8", "fd00::/8"],
    notIpBlocks: ["10.9.0.0/16"],
    requestPrincipals: [`${ISSUER}/alice`],
    notRequestPrincipals: [`${ISSUER}/eve`],
    remoteIpBlocks: ["0.0.0.0/0"],
    notRemoteIpBlocks: ["10.9.0.0/16"],
  };
}

function everyOperation(): Spec {
  return {
    ports: ["80", "8080"],
    notPorts: ["81"],
    hosts: ["api.shop", "*.shop"],
    notHosts: ["evil.shop"],
    methods: ["GET"],
    notMethods: ["POST"],
    paths: ["/a/{*}/c", "/*"],
    notPaths: ["/admin*"],
  };
}

function everyKey(): readonly Spec[] {
  const texts = ["source.namespace", "source.trustDomain", "connection.sni"];
  const claims = ["request.auth.audiences", "request.auth.presenter", "request.auth.claims[a][b]"];
  return [
    ...[...texts, ...claims, "request.headers[x-role]", "source.serviceAccount"].map((key) => ({
      key,
      values: ["shop"],
      notValues: ["other"],
    })),
    { key: "source.principal", values: [A], notValues: [B] },
    { key: "request.auth.principal", values: ["*"], notValues: [`${ISSUER}/eve`] },
    { key: "destination.port", values: ["80"], notValues: ["81"] },
    ...["source.ip", "destination.ip", "remote.ip"].map((key) => ({
      key,
      values: ["10.0.0.0/8"],
      notValues: ["10.9.0.0/16"],
    })),
  ];
}

/** All that a field can be damaged to which the language refuses. */
function refusedSpecs(spec: Spec, path: Path): readonly Spec[] {
  const specs = damagedAt(spec, path) as readonly Spec[];
  return specs.filter((each) => policyOf({ spec: each }).parsed.kind === "refused");
}

const random = new SeededRandom(20_260_611);
const ATTEMPTS: readonly Attempt[] = Array.from({ length: 60 }, () =>
  attemptOf(randomAttempt(random)),
);
/** What is there beside the damaged policy, and rules on. */
const REST: readonly Written[] = [
  { name: "z-deny", ...deny({ to: [{ operation: { ports: ["81"] } }] }) },
  { name: "z-allow", ...allow(source({ namespaces: ["shop"] })) },
];

function verdicts(written: readonly Written[]): readonly string[] {
  const decider = deciderOf(written, ["opa"]);
  return ATTEMPTS.map((attempt) => {
    const { verdict } = decide(decider, attempt);
    if (verdict.kind === "permit") return `permit by ${verdict.by?.policy}`;
    return `${verdict.reason} ${verdict.policy ?? ""}`;
  });
}

/** As if it were whole but said nothing (ALLOW, AUDIT), or refused all (DENY, CUSTOM). */
function expectedOf(action: Action): readonly string[] {
  if (action === "AUDIT") return verdicts(REST);
  if (action === "ALLOW") return verdicts([{ name: "damaged", ...allow() }, ...REST]);
  return ATTEMPTS.map(() => "policy_invalid shop/damaged");
}

const ACTIONS: readonly Action[] = ["ALLOW", "DENY", "AUDIT", "CUSTOM"];

test.each(ACTIONS)(
  "decide(): of %s damaged in any field nothing rules but what is strict, the rest works [G6]",
  (action) => {
    const spec = whole(action);
    expect(policyOf({ spec }).parsed.kind).toBe("accepted");
    const expected = expectedOf(action);
    const denied = expectedOf("DENY");
    const paths = pathsIn(spec).filter((path) => path.length > 0);
    expect(paths.length).toBeGreaterThan(150);
    for (const path of paths) {
      const refused = refusedSpecs(spec, path);
      expect([path, refused.length > 0]).toEqual([path, true]);
      // Which damage it is makes no difference but for the action itself.
      const looked = path.length < 3 ? refused : refused.slice(0, 2);
      for (const damaged of looked) {
        const said = verdicts([{ name: "damaged", spec: damaged }, ...REST]);
        expect([path, said]).toEqual([path, path[0] === "action" ? denied : expected]);
      }
    }
  },
);

test("decide(): a spec that is no object denies all, and so does one whose scope cannot be read", () => {
  for (const spec of [null, 7, "DENY", [], [{}]]) {
    const said = verdicts([{ name: "damaged", spec: spec as unknown as Spec }, ...REST]);
    const opened = said.filter(
      (word, i) => word.startsWith("permit") && verdicts(REST)[i] !== word,
    );
    expect([spec, opened]).toEqual([spec, []]);
  }
});

test("decodeResource(): what any message of a policy holds beyond this version makes that policy invalid", () => {
  const { policy } = policyOf({ name: "newer", spec: whole("ALLOW") }).compiled;
  const count = messagesIn(messageOf(policy)).length;
  expect(count).toBeGreaterThan(60);
  for (let i = 0; i < count; i += 1) {
    const message = messageOf(policy);
    const at = messagesIn(message)[i];
    Object.assign(at ?? {}, { $unknown: [{ no: 999, wireType: 0, data: Uint8Array.of(1) }] });
    const decoded = decodeResource(overTheWire(message));
    expect(decoded).toMatchObject({ kind: "decoded", unread: ["a field of a newer version"] });
    expect(decoded).toMatchObject({ value: { body: { value: { invalid: true, rules: [] } } } });
  }
});

function messageOf(policy: CompiledPolicy): wire.Resource {
  const body = { kind: "policy", value: policy } as const;
  return encodeResource({ name: policy.ref, version: "1", body });
}

function overTheWire(message: wire.Resource): wire.Resource {
  return fromBinary(wire.ResourceSchema, toBinary(wire.ResourceSchema, message));
}

/** The policy's and all within it. */
function messagesIn({ body }: wire.Resource): readonly object[] {
  const found: object[] = [];
  function walk(value: unknown): void {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
    if ("$typeName" in value) found.push(value);
    for (const item of Object.values(value)) walk(item);
  }
  walk(body.value);
  return found;
}
