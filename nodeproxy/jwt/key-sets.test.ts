import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { TokenIssuer } from "../../test/fakes/token-issuer.ts";
import { KeySets, type RuleKeys } from "./key-sets.ts";

const server = new TokenIssuer();

beforeAll(async () => {
  await server.listen();
  await server.addKey("k1");
});
afterAll(() => server.close());
beforeEach(() => {
  server.answer = undefined;
  server.asked = 0;
});

class Sets {
  readonly failures: string[] = [];
  readonly sets: KeySets;

  constructor(allowLocal = true) {
    this.sets = new KeySets({
      allowLocal: () => allowLocal,
      onFailed: (source, reason) => this.failures.push(`${source} ${reason}`),
    });
  }

  async ids(rule: RuleKeys): Promise<readonly (string | undefined)[] | undefined> {
    return (await this.sets.keys(rule))?.map(({ keyId }) => keyId);
  }
}

function discovered(issuer: string): RuleKeys {
  return { issuer, keys: { kind: "discovered" }, timeoutMs: 1_000 };
}

function at(uri: string): RuleKeys {
  return { issuer: "i", keys: { kind: "uri", uri }, timeoutMs: 1_000 };
}

test("KeySets: rules that name one place share its keys, until no rule does", async () => {
  const { sets } = new Sets();
  await Promise.all([sets.keys(at(server.uri)), sets.keys(at(server.uri))]);
  expect(server.asked).toBe(1);
  sets.retain([at(server.uri)]);
  await sets.keys(at(server.uri));
  expect(server.asked).toBe(1);
  sets.retain([]);
  await sets.keys(at(server.uri));
  expect(server.asked).toBe(2);
});

test("KeySets: without a place the issuer's discovery document names it", async () => {
  const issuer = `http://127.0.0.1:${server.port}/realm/`;
  server.answer = ({ url }, response) => {
    const isDiscovery = url === "/realm/.well-known/openid-configuration";
    response.end(isDiscovery ? JSON.stringify({ issuer, jwks_uri: server.uri }) : server.jwks());
  };
  expect(await new Sets().ids(discovered(issuer))).toEqual(["k1"]);
  expect(server.asked).toBe(2);
});

test.each([
  ["of another issuer", (issuer: string) => ({ issuer: `${issuer}x`, jwks_uri: server.uri })],
  ["without a place", (issuer: string) => ({ issuer })],
  ["with a file", (issuer: string) => ({ issuer, jwks_uri: "file:///etc/passwd" })],
  ["null", () => null],
])("KeySets: a discovery document %s gives no keys", async (_, document) => {
  const issuer = `http://127.0.0.1:${server.port}`;
  server.answer = (_request, response) => response.end(JSON.stringify(document(issuer)));
  const world = new Sets();
  expect(await world.ids(discovered(issuer))).toBeUndefined();
  expect(world.failures).toEqual([`discovered ${issuer} bad_discovery`]);
});

test("KeySets: attack 43: neither the place nor discovery leads to local addresses", async () => {
  const world = new Sets(false);
  expect(await world.ids(at(server.uri))).toBeUndefined();
  expect(await world.ids(discovered(`http://localhost:${server.port}`))).toBeUndefined();
  expect(world.failures.map((line) => line.split(" ").at(-1))).toEqual([
    "forbidden_address",
    "forbidden_address",
  ]);
  expect(server.asked).toBe(0);
});
