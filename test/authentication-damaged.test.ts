/**
 * RequestAuthentication and PeerAuthentication that got past admission damaged: each field in turn holds what it must not.
 * What the one selects takes no request then, what the other selects no plaintext; other pods are served as before.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import { decodeResource } from "../core/wire/decode-resource.ts";
import { encodeResource } from "../core/wire/encode-resource.ts";
import * as wire from "../core/wire/gen/weft/v1/node_pb.ts";
import { compileRequestAuthentication } from "../operator/compile/request-authentication.ts";
import { parseRequestAuthentication } from "../operator/resources/request-authentication.ts";
import { type Manifest, outcomeOfCall, type PodCall, parseWritten } from "./called-pod.ts";
import { damagedAt, type Path, pathsIn } from "./damaged-spec.ts";

type Spec = Readonly<Record<string, unknown>>;

const WEB = "cluster.local/ns/shop/sa/web";
const PORTS = [80, 8080, 9090];
const REQUEST = { method: "GET", target: "/" };

const TOKENS: Spec = {
  selector: { matchLabels: { app: "api" } },
  jwtRules: [
    {
      issuer: "https://idp.example",
      audiences: ["shop"],
      jwksUri: "https://idp.example/keys",
      fromHeaders: [{ name: "x-token", prefix: "JWT " }],
      fromParams: ["token"],
      fromCookies: ["token"],
      outputPayloadToHeader: "x-payload",
      outputClaimToHeaders: [{ header: "x-user", claim: "sub" }],
      forwardOriginalToken: true,
      timeout: "2s",
    },
    { issuer: "other", jwks: '{"keys":[]}' },
  ],
};
const MODES: Spec = {
  selector: { matchLabels: { app: "api" } },
  mtls: { mode: "PERMISSIVE" },
  portLevelMtls: { 8080: { mode: "PERMISSIVE" }, 9090: { mode: "DISABLE" } },
};

function manifest(kind: string, name: string, spec: unknown): Manifest {
  const metadata = { name, namespace: "shop", creationTimestamp: "2026-01-01T00:00:00Z" };
  return { apiVersion: "weft.dev/v1", kind, metadata, spec: spec as Spec };
}

function service(app: string): Manifest {
  const ports = [{ port: 8080, appProtocol: "http" }];
  const metadata = { name: app, namespace: "shop" };
  return { apiVersion: "v1", kind: "Service", metadata, spec: { selector: { app }, ports } };
}

async function codeOf(objects: readonly Manifest[], app: string, call: Partial<PodCall>) {
  const pod = { namespace: "shop", labels: { app }, ip: "10.0.0.9", rootNamespace: "weft-system" };
  const asked = { peer: WEB, ip: "10.0.0.7", port: 8080, request: REQUEST, ...call };
  const { code } = await outcomeOfCall([service(app), ...objects], pod, asked);
  return code;
}

/** All that the place can be damaged to which is refused. */
function refusedAt(kind: string, spec: Spec, path: Path): readonly Manifest[] {
  return damagedAt(spec, path)
    .map((damaged) => manifest(kind, "damaged", damaged))
    .filter((object) => parseWritten(object).kind === "refused");
}

function placesOf(kind: string, spec: Spec): readonly (readonly [Path, readonly Manifest[]])[] {
  expect(parseWritten(manifest(kind, "whole", spec)).kind).toBe("accepted");
  return pathsIn(spec).map((path) => [path, refusedAt(kind, spec, path)]);
}

test("RequestAuthenticator: damaged in any field it lets no request through, with a token or without [G6]", async () => {
  const places = placesOf("RequestAuthentication", TOKENS);
  expect(places.length).toBeGreaterThan(25);
  const headers = { "x-token": "JWT a.b.c" };
  for (const [path, refused] of places) {
    expect([path, refused.length > 0]).toEqual([path, true]);
    for (const object of refused) {
      const codes = [
        await codeOf([object], "api", {}),
        await codeOf([object], "api", { request: { ...REQUEST, headers } }),
      ];
      expect([path, codes]).toEqual([path, codes.map(() => "authentication_unreadable")]);
    }
    // What cannot be told of a selector is told of the whole namespace.
    const isSelected = path.length === 0 || path[0] === "selector";
    const [first] = refused;
    const other = first && !isSelected ? await codeOf([first], "web", {}) : "permit";
    expect([path, other]).toEqual([path, "permit"]);
  }
});

test("decodeResource(): a damaged RequestAuthentication reaches the nodes as what takes no request", () => {
  for (const [path, refused] of placesOf("RequestAuthentication", TOKENS)) {
    for (const object of refused) {
      const value = compileRequestAuthentication(
        parseRequestAuthentication(object),
      )?.authentication;
      if (!value) throw new Error(`nothing is told of ${JSON.stringify(path)}`);
      const body = { kind: "requestAuthentication", value } as const;
      const message = encodeResource({ name: value.ref, version: "1", body });
      const bytes = toBinary(wire.ResourceSchema, message);
      expect(decodeResource(fromBinary(wire.ResourceSchema, bytes))).toMatchObject({
        value: { body: { value: { ref: "shop/damaged", invalid: true, rules: [] } } },
      });
    }
  }
});

/** Of the namespace, and older than what is damaged. */
const REST: Manifest = {
  ...manifest("PeerAuthentication", "rest", { mtls: { mode: "PERMISSIVE" } }),
  metadata: { name: "rest", namespace: "shop", creationTimestamp: "2025-01-01T00:00:00Z" },
};

function isUnheard(object: Manifest | undefined): boolean {
  return Object.hasOwn(object?.spec ?? {}, "unheard");
}

test("decideMode(): of a PeerAuthentication damaged in any field plaintext is refused on every port [G6]", async () => {
  const places = placesOf("PeerAuthentication", MODES);
  expect(places.length).toBeGreaterThan(9);
  for (const [path, refused] of places) {
    expect([path, refused.length > 0]).toEqual([path, true]);
    for (const object of refused) {
      for (const port of PORTS) {
        const plain = await codeOf([REST, object], "api", { peer: undefined, port });
        expect([path, port, plain]).toEqual([path, port, "plaintext_refused"]);
        expect(await codeOf([REST, object], "api", { port })).toBe("permit");
      }
    }
    // Where its selector can be read it is about nobody else.
    const [first] = refused;
    const isSelected = path.length === 0 || path[0] === "selector" || isUnheard(first);
    const others = first && !isSelected ? [REST, first] : [REST];
    expect([path, await codeOf(others, "web", { peer: undefined })]).toEqual([path, "permit"]);
  }
});
