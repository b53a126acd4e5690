/** A permit allocates nothing: not at layer 4, not for a request, and not among policies that deny. */
import { expect, test } from "@jest/globals";
import { bytesPerCall } from "../../test/heap-growth.ts";
import {
  A,
  allow,
  attempt,
  B,
  deciderOf,
  deny,
  PLAIN,
  source,
} from "../../test/policy-language.ts";
import type { Attempt } from "./attempt.ts";
import { decide } from "./decide.ts";

const REQUEST = {
  method: "GET",
  path: "/api/v1/orders/7",
  host: "API.shop:8080",
  headers: new Map([["x-role", ["user"]]]),
  claims: { iss: "https://idp.example", sub: "alice", groups: "staff" },
};
const ATTEMPTS: readonly Attempt[] = [
  attempt(A),
  attempt(B, { ip: "fd12::7" }),
  attempt("old.example/ns/shop/sa/web"),
  { ...attempt(A), remoteIp: [192, 168, 0, 9], http: REQUEST },
  { ...attempt(B), remoteIp: [192, 168, 0, 9], http: REQUEST },
];

/** Enough of each form that every table of the index is walked. */
const POLICIES = [
  ...Array.from({ length: 60 }, (_, i) =>
    deny(
      source({
        principals: [`cluster.local/ns/n${i}/sa/a`, `*/sa/x${i}`, `evil.example/ns/${i}*`],
      }),
      source({ ipBlocks: [`11.0.${i}.0/24`, `fd13:${i}::/32`] }),
      source({ serviceAccounts: [`n${i}/a`], notNamespaces: [`m${i}`] }),
      { to: [{ operation: { ports: [`${9000 + i}`] } }] },
    ),
  ),
  ...Array.from({ length: 60 }, (_, i) =>
    deny({
      to: [
        { operation: { paths: [`/admin/${i}`, `/private/${i}/{*}`, `*.${i}`], methods: ["GET"] } },
      ],
      ...source({ namespaces: [`never-${i}`] }),
    }),
  ),
  deny({
    ...source({ namespaces: ["never"] }),
    to: [{ operation: { hosts: ["api.shop"] } }],
    when: [{ key: "request.headers[x-role]", values: ["admin"] }],
  }),
];
const OPEN = allow(
  source({ namespaces: ["ops"] }),
  { ...source({ namespaces: ["shop"] }), to: [{ operation: { ports: ["8080"] } }] },
  { to: [{ operation: { paths: ["/api/{*}/orders/{**}"] } }] },
);

test("decide(): a permit allocates nothing", () => {
  const decider = deciderOf([...POLICIES, OPEN]);
  expect(ATTEMPTS.map((asked) => decide(decider, asked).verdict.kind)).toEqual(
    ATTEMPTS.map(() => "permit"),
  );
  const bytes = bytesPerCall(
    (i) => void decide(decider, ATTEMPTS[i % ATTEMPTS.length] ?? PLAINTEXT),
  );
  expect(bytes).toBe(0);
});

test("decide(): nor does one where no ALLOW policy applies, or an AUDIT policy does not match", () => {
  const audit = { spec: { action: "AUDIT", rules: [source({ namespaces: ["never"] })] } };
  const decider = deciderOf([...POLICIES, audit]);
  expect(decide(decider, PLAINTEXT).verdict.kind).toBe("permit");
  const bytes = bytesPerCall(
    (i) => void decide(decider, ATTEMPTS[i % ATTEMPTS.length] ?? PLAINTEXT),
  );
  expect(bytes).toBe(0);
});

test("bytesPerCall(): one small object is seen", () => {
  const kept: unknown[] = [undefined];
  expect(
    bytesPerCall((i) => {
      kept[0] = { i };
    }),
  ).toBeGreaterThan(8);
});

const PLAINTEXT = attempt(PLAIN);
