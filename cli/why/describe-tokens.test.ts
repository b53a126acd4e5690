import { expect, test } from "@jest/globals";
import type { Judgement } from "../../nodeproxy/why/why-answer.ts";
import { tokenLines } from "./describe-tokens.ts";

function lines(more: Partial<Judgement>): readonly string[] {
  const outcome = { kind: "permit" } as const;
  const arrival = { arrives: "mutual_tls", arrivesBecause: "" } as const;
  return tokenLines({
    enforced: "yes",
    ...arrival,
    readAs: "http",
    outcome,
    ignored: [],
    ...more,
  });
}

test("tokenLines(): each RequestAuthentication with its issuers and where their tokens stand", () => {
  const requestAuthentications = [
    {
      policy: "shop/a",
      state: "applies",
      issuers: [
        { issuer: "https://a", places: ["header authorization: Bearer", "cookie sid"] },
        { issuer: "b", places: ["parameter t"] },
      ],
    },
    { policy: "shop/b", state: "missing", issuers: [] },
    { policy: "shop/c", state: "unreadable", issuers: [] },
    { policy: "shop/d", state: "applies", issuers: [] },
  ] as const;
  expect(lines({ requestAuthentications })).toEqual([
    "  tokens: RequestAuthentication shop/a takes those of https://a (header authorization: Bearer, cookie sid); b (parameter t)",
    "  tokens: RequestAuthentication shop/b has not arrived at the node: requests are refused",
    "  tokens: RequestAuthentication shop/c cannot be read: requests are refused",
    "  tokens: RequestAuthentication shop/d takes none and refuses none",
  ]);
});

test("tokenLines(): on an opaque port none can be seen, and without a rule nobody looks", () => {
  const requestAuthentications = [{ policy: "shop/d", state: "applies", issuers: [] }] as const;
  expect(lines({ readAs: "opaque", requestAuthentications })).toEqual([
    "  tokens: RequestAuthentication shop/d takes none and refuses none",
    "  tokens: none can be seen on this port",
  ]);
  expect(lines({ readAs: "opaque" })).toEqual([]);
  expect(lines({ token: "not_looked_at" })).toEqual([
    "  tokens: nobody looks for one here, so policies do not see its claims",
  ]);
  expect(lines({ token: "taken" })).toEqual([]);
});
