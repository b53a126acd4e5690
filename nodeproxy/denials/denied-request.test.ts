import { expect, test } from "@jest/globals";
import { deniedRequest } from "./denied-request.ts";

const HTTP = {
  method: "GET",
  path: "/admin",
  host: "api.shop",
  headers: new Map<string, readonly string[]>(),
};
const LINE = { method: "GET", path: "/admin", host: "api.shop", status: 403 };

test("deniedRequest(): of headers that may hold a secret the names alone are kept", () => {
  const secrets = ["authorization", "cookie", "x-api-key", "x_session_id", "x-amz-security-token"];
  const fields = ["x-role", "admin", ...secrets.flatMap((name) => [name, "s3cret"])];
  const kept = deniedRequest(HTTP, { ...LINE, fields });
  expect(kept.headers).toEqual([["x-role", "admin"]]);
  expect(kept.withheld).toEqual(secrets);
  expect(JSON.stringify(kept)).not.toContain("s3cret");
});

test("deniedRequest(): what is long or many is cut", () => {
  const many = Array.from({ length: 100 }, (_, i) => [`x-${i}`, "v"]).flat();
  const fields = ["x-long", "v".repeat(257), ...many];
  const kept = deniedRequest({ ...HTTP, path: `/${"a".repeat(1_000)}` }, { ...LINE, fields });
  expect(kept.headers).toHaveLength(32);
  expect(kept.withheld).toHaveLength(32);
  expect(kept.withheld[0]).toBe("x-long");
  expect(kept.path).toHaveLength(512);
});

test("deniedRequest(): of a token who it is for is kept, and no other claim", () => {
  const claims = { iss: "https://a.example", sub: "ann", email: "ann@a.example" };
  const kept = deniedRequest({ ...HTTP, claims }, { ...LINE, fields: [] });
  expect(kept.token).toEqual({ issuer: "https://a.example", subject: "ann" });
  expect(deniedRequest({ ...HTTP, claims: { iss: 1 } }, { ...LINE, fields: [] }).token).toBe(
    undefined,
  );
});
