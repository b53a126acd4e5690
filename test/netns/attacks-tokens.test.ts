/**
 * Attacks on tokens, of group C of the list of attacks: through two node proxies to an application that must hear of none
 * of them, whatever policy rules beside the RequestAuthentication.
 */
import { generateKeyPairSync, sign } from "node:crypto";
import type { ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { TokenForger } from "../fakes/token-forger.ts";
import { TokenIssuer } from "../fakes/token-issuer.ts";
import { type AttackedMesh, createAttackedMesh, policyOf, to, when } from "./attacked-mesh.ts";
import type { Manifest } from "./policy-mesh.ts";

const ISSUER = "https://issuer.example";
const NOW_S = Math.floor(Date.now() / 1_000);
const HOUR_S = 3_600;
/** Its tokens live longer than these tests can take. */
const forger = new TokenForger(ISSUER, NOW_S);
const good = { iss: ISSUER, sub: "ada", exp: NOW_S + 24 * HOUR_S };
let mesh: AttackedMesh;
let issuer: TokenIssuer;

beforeAll(async () => {
  mesh = await createAttackedMesh("wa-jwt");
});

beforeEach(async () => {
  // Of a port of its own, so that no node has keys of it already.
  issuer = new TokenIssuer();
  await issuer.listen();
  await issuer.addKey("k1");
});

afterEach(() => issuer.close());

afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
});

const ANYBODY = policyOf("ALLOW", { from: [{ source: { requestPrincipals: ["*"] } }] });
const REQUIRED = policyOf("DENY", { from: [{ source: { notRequestPrincipals: ["*"] } }] });
/** That nothing is about. */
const NOTHING = policyOf("DENY", to({ paths: ["/nothing"] }));

function authentication(rule: object): Manifest {
  const metadata = { name: "tokens", namespace: "shop" };
  const spec = { jwtRules: [{ issuer: ISSUER, ...rule }] };
  return { apiVersion: "weft.dev/v1", kind: "RequestAuthentication", metadata, spec };
}

const FORGED = authentication({ jwks: JSON.stringify({ keys: [forger.jwk] }) });

function localKeys(allowLocalAddresses: boolean): Manifest {
  return {
    apiVersion: "weft.dev/v1",
    kind: "MeshConfig",
    metadata: { name: "default" },
    spec: { jwks: { allowLocalAddresses } },
  };
}

function bearer(token: string): string {
  return `authorization: Bearer ${token}`;
}

async function verdict(...lines: readonly string[]): Promise<string> {
  return mesh.verdict({ lines });
}

test.each(forger.forgeries())("%s", async (_name, make, reason) => {
  for (const policies of [[ANYBODY], [REQUIRED], [NOTHING], []]) {
    mesh.rule(FORGED, ...policies);
    expect(await verdict(bearer(make()))).toBe(`401 ${reason}`);
  }
});

test("attack 39: a token without an end, and one whose time is now, are taken", async () => {
  mesh.rule(FORGED, ANYBODY);
  for (const fields of [{ exp: undefined }, { exp: NOW_S + HOUR_S, nbf: NOW_S - HOUR_S }]) {
    expect(await verdict(bearer(forger.sign({ alg: "RS256" }, forger.claims(fields))))).toBe(
      "200 /",
    );
  }
});

test("attack 40: audiences are compared whole, and none is none", async () => {
  const keys = { jwks: JSON.stringify({ keys: [forger.jwk] }), audiences: ["api", "web"] };
  mesh.rule(authentication(keys), ANYBODY);
  for (const aud of ["", [], ["API"], "api ", undefined]) {
    const token = forger.sign({ alg: "RS256" }, { ...good, aud });
    expect(await verdict(bearer(token))).toBe("401 audience_refused");
  }
  for (const aud of ["api", ["other", "web"]]) {
    const token = forger.sign({ alg: "RS256" }, { ...good, aud });
    expect(await verdict(bearer(token))).toBe("200 /");
  }
});

const BAD_ANSWERS: readonly (readonly [string, (response: ServerResponse) => unknown])[] = [
  ["none", (response) => response.destroy()],
  ["late", () => undefined],
  ["nothing", (response) => response.end("")],
  ["no keys", (response) => response.end('{"keys":[]}')],
  ["no list", (response) => response.end('{"keys":{}}')],
  ["500", (response) => response.writeHead(500).end()],
  ["too much", (response) => response.end("a".repeat(300_000))],
];

test.each(BAD_ANSWERS)(
  "attack 42: where the answer of the issuer is %s no token is good",
  async (name, answer) => {
    issuer.answer = (_request, response) => void answer(response);
    // Only who answers late is not waited for.
    const timeout = name === "late" ? "300ms" : "60s";
    mesh.rule(
      localKeys(true),
      authentication({ jwksUri: issuer.uri, timeout }),
      policyOf("ALLOW", to({ methods: ["GET"] })),
    );
    expect(await verdict(bearer(await issuer.sign(good)))).toBe("401 keys_unavailable");
    expect(issuer.asked > 0 || name === "late").toBe(true);
    // Who shows none is policy's business.
    expect(await verdict()).toBe("200 /");
  },
);

test.each([
  "http://127.0.0.1:PORT/keys",
  "http://[::ffff:127.0.0.1]:PORT/keys",
  "http://localhost:PORT/keys",
])("attack 43: keys are not fetched from %s", async (jwksUri) => {
  const uri = jwksUri.replace("PORT", `${issuer.port}`);
  mesh.rule(localKeys(false), authentication({ jwksUri: uri }), ANYBODY);
  expect(await verdict(bearer(await issuer.sign(good)))).toBe("401 keys_unavailable");
  expect(issuer.asked).toBe(0);
});

test("attack 43: nor by a redirect, nor from a file", async () => {
  const other = new TokenIssuer();
  await other.listen();
  try {
    issuer.answer = (_, response) => response.writeHead(302, { location: other.uri }).end();
    mesh.rule(localKeys(true), authentication({ jwksUri: issuer.uri, timeout: "60s" }), ANYBODY);
    expect(await verdict(bearer(await issuer.sign(good)))).toBe("401 keys_unavailable");
    expect({ asked: issuer.asked, other: other.asked }).toEqual({ asked: 1, other: 0 });
  } finally {
    await other.close();
  }
  mesh.rule(localKeys(true), authentication({ jwksUri: "file:///etc/keys" }), NOTHING);
  expect(await verdict(bearer(await issuer.sign(good)))).toBe("401 authentication_unreadable");
});

test("attack 44: a token of 1 MB reaches nobody", async () => {
  mesh.rule(FORGED, NOTHING);
  // Who sends more than is read may not get to see the answer.
  const tooMuch = expect.stringMatching(/^(?:0|431 \w+)$/);
  expect(await verdict(bearer("a".repeat(1_048_576)))).toEqual(tooMuch);
});

test("attack 45: claims of strange names are claims, and reach nothing else", async () => {
  const text = `{"iss":"${ISSUER}","sub":"first","sub":"ada","__proto__":{"admin":"yes"},"a.b":"c","a":["b"],"role":{"admin":1}}`;
  const lines = [bearer(forger.sign({ alg: "RS256" }, text))];
  const asked: readonly (readonly [key: string, value: string, isThere: boolean])[] = [
    ["[sub]", "ada", true],
    ["[sub]", "first", false],
    ["[admin]", "yes", false],
    ["[__proto__][admin]", "yes", true],
    ["[a.b]", "c", true],
    ["[a][b]", "c", false],
    ["[a]", "b", true],
    ["[role]", "admin", false],
    ["[constructor][name]", "*", false],
    ["[toString]", "*", false],
  ];
  for (const [key, value, isThere] of asked) {
    mesh.rule(FORGED, policyOf("ALLOW", when(`request.auth.claims${key}`, { values: [value] })));
    const got = await verdict(...lines);
    expect({ key, got }).toEqual({ key, got: isThere ? "200 /" : "403 not_allowed" });
  }
});

test("attack 46: of two tokens none is chosen, wherever they stand", async () => {
  mesh.rule(authentication({ jwks: issuer.jwks() }), NOTHING);
  const [token, other] = [await issuer.sign(good), await issuer.sign({ ...good, sub: "root" })];
  expect(await verdict(bearer(token), bearer(other))).toBe("401 several_tokens");
  const mixed = { target: `/?access_token=${other}`, lines: [bearer(token)] };
  expect(await mesh.verdict(mixed)).toBe("401 several_tokens");
  expect(await verdict(`${bearer(token)}, Bearer ${token}`)).toBe("401 token_malformed");
  const twice = { target: `/?access_token=${token}&a=b`, lines: [bearer(token)] };
  expect(await mesh.verdict(twice)).toBe("200 /?a=b");
  expect(mesh.server.heads.join()).not.toMatch(/authorization/i);
});

test("attack 46: ECDSA signatures of zeros and in DER", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keys = [{ ...publicKey.export({ format: "jwk" }), kid: "k1" }];
  mesh.rule(authentication({ jwks: JSON.stringify({ keys }) }), ANYBODY);
  const token = await issuer.sign(good);
  const text = token.slice(0, token.lastIndexOf("."));
  const der = sign("sha256", Buffer.from(text), privateKey).toString("base64url");
  for (const signature of ["A".repeat(86), der]) {
    expect(await verdict(bearer(`${text}.${signature}`))).toBe("401 signature_invalid");
  }
  const raw = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
  expect(await verdict(bearer(`${text}.${raw.toString("base64url")}`))).toBe("200 /");
});

test("attack 46: a key of 512 bits is none", async () => {
  const short = generateKeyPairSync("rsa", { modulusLength: 512 });
  const head = Buffer.from('{"alg":"RS256"}').toString("base64url");
  const text = `${head}.${Buffer.from(JSON.stringify(good)).toString("base64url")}`;
  const signature = sign("sha256", Buffer.from(text), short.privateKey).toString("base64url");
  const keys = [short.publicKey.export({ format: "jwk" })];
  mesh.rule(authentication({ jwks: JSON.stringify({ keys }) }), NOTHING);
  expect((await verdict(bearer(`${text}.${signature}`))).slice(0, 3)).toBe("401");
  expect(mesh.server.heads).toEqual([]);
});

test("attack 47: claims of any depth are taken, and those beside them are seen", async () => {
  const deep = `${"[".repeat(5_000)}${"]".repeat(5_000)}`;
  const token = forger.sign({ alg: "RS256" }, forger.raw(`"sub":"ada","deep":${deep}`));
  mesh.rule(
    FORGED,
    policyOf("ALLOW", { from: [{ source: { requestPrincipals: [`${ISSUER}/ada`] } }] }),
  );
  expect(await verdict(bearer(token))).toBe("200 /");
});

test("attack 48: keys rotate, and a flood of unknown keys does not hammer the issuer", async () => {
  mesh.rule(localKeys(true), authentication({ jwksUri: issuer.uri, timeout: "60s" }), ANYBODY);
  const token = await issuer.sign(good);
  expect(await verdict(bearer(token))).toBe("200 /");
  mesh.server.clear();
  const unknown = await issuer.sign(good, { kid: "made up" });
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => mesh.send({ lines: [bearer(unknown)] })),
  );
  expect(new Set(answers.map(({ status, reason }) => `${status} ${reason}`))).toEqual(
    new Set(["401 key_unknown"]),
  );
  expect(mesh.server.heads).toEqual([]);
  expect(issuer.asked).toBeLessThanOrEqual(2);
  // Whoever has a key of the set goes on.
  expect(await verdict(bearer(token))).toBe("200 /");
});
