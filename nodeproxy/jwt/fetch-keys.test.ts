import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { TokenIssuer } from "../../test/fakes/token-issuer.ts";
import { type FetchKeysOptions, fetchKeys } from "./fetch-keys.ts";

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

function fetch(uri: string, more: Partial<FetchKeysOptions> = {}): Promise<string> {
  return fetchKeys(uri, { timeoutMs: 2_000, allowLocal: false, ...more });
}

test("fetchKeys(): gives the body, from a local address only where that is allowed", async () => {
  expect(await fetch(server.uri, { allowLocal: true })).toBe(server.jwks());
  expect(server.asked).toBe(1);
});

test.each([
  "http://127.0.0.1:PORT/keys",
  "http://127.1:PORT/keys",
  "http://2130706433:PORT/keys",
  "http://0x7f.0.0.1:PORT/keys",
  "http://0.0.0.0:PORT/keys",
  "http://[::1]:PORT/keys",
  "http://[::]:PORT/keys",
  "http://[::ffff:127.0.0.1]:PORT/keys",
  "http://[::7f00:1]:PORT/keys",
  "http://[64:ff9b::7f00:1]:PORT/keys",
  "http://169.254.169.254/latest/meta-data/",
  "http://[fe80::1]/keys",
  "http://[fd00:ec2::254]/keys",
  "http://localhost:PORT/keys",
])("fetchKeys(): attack 43: %s is refused", async (uri) => {
  const refusal = fetch(uri.replace("PORT", String(server.port)));
  await expect(refusal).rejects.toMatchObject({ reason: "forbidden_address" });
  expect(server.asked).toBe(0);
});

test("fetchKeys(): attack 43: names that lead to local addresses are refused, one of several too", async () => {
  const uri = `http://keys.example:${server.port}/keys`;
  for (const addresses of [["127.0.0.1"], ["192.0.2.1", "169.254.169.254"], ["::1"]]) {
    const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    const refusal = fetch(uri, { resolve: () => Promise.resolve(found) });
    await expect(refusal).rejects.toMatchObject({ reason: "forbidden_address" });
  }
  expect(server.asked).toBe(0);
});

test("fetchKeys(): attack 43: a name is asked about once, so a second answer cannot lead elsewhere", async () => {
  let asked = 0;
  function resolve() {
    asked += 1;
    // The first would be dialled in vain, the second is where rebinding wants to lead.
    return Promise.resolve([{ address: asked === 1 ? "192.0.2.1" : "127.0.0.1", family: 4 }]);
  }
  const refusal = fetch(`http://keys.example:${server.port}/`, { resolve, timeoutMs: 200 });
  await expect(refusal).rejects.toMatchObject({
    reason: expect.stringMatching(/^(timeout|unreachable)$/),
  });
  expect({ asked, served: server.asked }).toEqual({ asked: 1, served: 0 });
});

test("fetchKeys(): attack 43: a redirect is not followed", async () => {
  const other = new TokenIssuer();
  await other.listen();
  try {
    server.answer = (_, response) => response.writeHead(302, { location: other.uri }).end();
    const refusal = fetch(server.uri, { allowLocal: true });
    await expect(refusal).rejects.toMatchObject({ reason: "bad_status" });
    expect(other.asked).toBe(0);
  } finally {
    await other.close();
  }
});

test("fetchKeys(): attack 42: an answer that is too long, late, cut off or none fails", async () => {
  const allowed = { allowLocal: true };
  server.answer = (_, response) => response.end("a".repeat(300_000));
  await expect(fetch(server.uri, allowed)).rejects.toMatchObject({ reason: "too_large" });
  server.answer = (_, response) => response.write("{");
  const late = fetch(server.uri, { ...allowed, timeoutMs: 100 });
  await expect(late).rejects.toMatchObject({ reason: "timeout" });
  server.answer = (request) => request.socket.destroy();
  await expect(fetch(server.uri, allowed)).rejects.toMatchObject({ reason: "unreachable" });
  server.answer = (_, response) => response.writeHead(500).end("{}");
  await expect(fetch(server.uri, allowed)).rejects.toMatchObject({ reason: "bad_status" });
  const nowhere = fetch("http://keys.invalid/", { resolve: () => Promise.resolve([]) });
  await expect(nowhere).rejects.toMatchObject({ reason: "name_not_found" });
});

test("fetchKeys(): a name server that does not answer is not waited for", async () => {
  const late = fetch("http://keys.example/", {
    resolve: () => new Promise<never>(() => undefined),
    timeoutMs: 50,
  });
  await expect(late).rejects.toMatchObject({ reason: "timeout" });
});

test("fetchKeys(): over TLS the server must prove its name", async () => {
  const refusal = fetch(server.uri.replace("http:", "https:"), { allowLocal: true });
  await expect(refusal).rejects.toMatchObject({ reason: "unreachable" });
});
