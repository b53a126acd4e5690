import { expect, test } from "@jest/globals";
import { parsePeerAuthentication } from "./peer-authentication.ts";

function parse(spec: unknown) {
  const metadata = { name: "p", namespace: "shop", creationTimestamp: "2026-01-02T03:04:05Z" };
  return parsePeerAuthentication({
    apiVersion: "weft.dev/v1",
    kind: "PeerAuthentication",
    metadata,
    spec,
  });
}

const selector = { matchLabels: { app: "api" } };

test("parsePeerAuthentication(): reads selector, mode and ports", () => {
  const portLevelMtls = { "9000": { mode: "DISABLE" }, "80": { mode: "UNSET" }, "81": {} };
  expect(parse({ selector, mtls: { mode: "STRICT" }, portLevelMtls })).toMatchObject({
    kind: "accepted",
    value: {
      metadata: { createdMs: Date.UTC(2026, 0, 2, 3, 4, 5) },
      scope: { kind: "labels", labels: { app: "api" } },
      mode: "STRICT",
      ports: [
        { port: 80, mode: "UNSET" },
        { port: 81, mode: "UNSET" },
        { port: 9000, mode: "DISABLE" },
      ],
    },
  });
});

const refused: [string, unknown, string][] = [
  [
    "portLevelMtls without selector [F11]",
    { portLevelMtls: { "80": { mode: "STRICT" } } },
    "spec.portLevelMtls",
  ],
  [
    "portLevelMtls without labels [F11]",
    { selector: {}, portLevelMtls: { "80": {} } },
    "spec.portLevelMtls",
  ],
  ["an empty portLevelMtls", { selector, portLevelMtls: {} }, "spec.portLevelMtls"],
  ["a name of a port", { selector, portLevelMtls: { http: {} } }, "spec.portLevelMtls.http"],
  ["port 65536", { selector, portLevelMtls: { "65536": {} } }, "spec.portLevelMtls.65536"],
  ["an unknown mode", { mtls: { mode: "strict" } }, "spec.mtls.mode"],
  ["null", { mtls: null }, "spec.mtls"],
  ["an unknown field", { mtsl: {} }, "spec.mtsl"],
  ["targetRefs", { targetRefs: [] }, "spec.targetRefs"],
];

for (const [name, spec, field] of refused) {
  test(`parsePeerAuthentication(): refuses ${name}, and counts as STRICT while it is there`, () => {
    const parsed = parse(spec);
    expect(parsed).toMatchObject({ kind: "refused", present: { mode: "STRICT", ports: [] } });
    expect(parsed.kind === "refused" && parsed.reasons.map((reason) => reason.field)).toContain(
      field,
    );
  });
}
