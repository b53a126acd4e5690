import { expect, test } from "@jest/globals";
import { NO_PARTY } from "./flow/connection-facts.ts";
import { Parties } from "./parties.ts";

const API = { namespace: "shop", name: "api-1", owner: "api", serviceAccount: "api" };

test("Parties: a workload has its names and its identity, and is made once", () => {
  const parties = new Parties(() => "cluster.local");
  expect(parties.of(API)).toEqual({
    namespace: "shop",
    name: "api-1",
    owner: "api",
    identity: "spiffe://cluster.local/ns/shop/sa/api",
  });
  expect(parties.of(API)).toBe(parties.of(API));
});

test("Parties: nobody known is no party", () => {
  expect(new Parties(() => "cluster.local").of(undefined)).toBe(NO_PARTY);
});

test("Parties: another trust domain is another identity", () => {
  let trustDomain: string | undefined;
  const parties = new Parties(() => trustDomain);
  expect(parties.of(API).identity).toBe("");
  trustDomain = "a";
  expect(parties.of(API).identity).toBe("spiffe://a/ns/shop/sa/api");
  trustDomain = "b";
  expect(parties.of(API).identity).toBe("spiffe://b/ns/shop/sa/api");
});

test("Parties: a workload with the same UID and another account is another party", () => {
  const parties = new Parties(() => "a");
  parties.of(API);
  expect(parties.of({ ...API, serviceAccount: "other" }).identity).toBe(
    "spiffe://a/ns/shop/sa/other",
  );
});
