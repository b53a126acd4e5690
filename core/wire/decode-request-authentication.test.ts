import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import type { Resource } from "../model/resource.ts";
import { decodeChanges } from "./decode-changes.ts";
import { decodeResource } from "./decode-resource.ts";
import { encodeResource } from "./encode-resource.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

const GOOD: Resource = {
  name: "shop/jwt",
  version: "7",
  body: {
    kind: "requestAuthentication",
    value: {
      ref: "shop/jwt",
      invalid: false,
      rules: [
        {
          issuer: "https://a.example",
          audiences: [],
          keys: { kind: "discovered" },
          fromHeaders: [{ name: "authorization", prefix: "Bearer " }],
          fromParams: [],
          fromCookies: [],
          outputPayloadToHeader: "",
          outputClaimToHeaders: [],
          forwardOriginalToken: false,
          timeoutMs: 5_000,
        },
      ],
    },
  },
};
const INVALID: Resource = {
  name: "shop/jwt",
  version: "7?",
  body: {
    kind: "requestAuthentication",
    value: { ref: "shop/jwt", invalid: true, rules: [] },
  },
};

function spoilt(spoil: (rule: wire.JwtRule) => void): wire.Resource {
  const message = encodeResource(GOOD);
  const { body } = message;
  const [rule] = body.case === "requestAuthentication" ? body.value.rules : [];
  if (!rule) throw new Error("no rule");
  spoil(rule);
  return fromBinary(wire.ResourceSchema, toBinary(wire.ResourceSchema, message));
}

const SPOILT: readonly (readonly [string, (rule: wire.JwtRule) => void])[] = [
  ["rules.issuer: missing", (rule) => Object.assign(rule, { issuer: "" })],
  ["rules: tokens are looked for nowhere", (rule) => Object.assign(rule, { fromHeaders: [] })],
  ["rules.keys: of no known kind", (rule) => Object.assign(rule, { keys: { case: undefined } })],
  [
    "a field of a newer version",
    (rule) => Object.assign(rule, { $unknown: [{ no: 999, wireType: 0, data: Uint8Array.of(1) }] }),
  ],
];

test.each(SPOILT)(
  "decodeResource(): a RequestAuthentication with %s is held as invalid",
  (reason, spoil) => {
    const decoded = decodeResource(spoilt(spoil));
    expect(decoded).toMatchObject({ kind: "decoded", value: INVALID });
    expect(decoded.kind === "decoded" && decoded.unread?.join()).toContain(reason);
    // As a snapshot keeps it: invalid still, and still not the version that was sent.
    expect(decodeResource(encodeResource(INVALID))).toEqual({ kind: "decoded", value: INVALID });
  },
);

test("decodeChanges(): a RequestAuthentication that cannot be read is told, and holds up nothing else of its batch", () => {
  const whole = structuredClone(GOOD);
  Object.assign(whole, { name: "shop/whole" });
  Object.assign(whole.body.value, { ref: "shop/whole" });
  const [[reason, spoil] = ["", () => undefined]] = SPOILT;
  const resources = [spoilt(spoil), encodeResource(whole)];
  const decoded = decodeChanges([wireBatch(resources)]);
  expect(decoded).toMatchObject({
    kind: "decoded",
    value: { upserts: [INVALID, whole] },
    unread: [{ kind: "requestAuthentication", name: "shop/jwt" }],
  });
  expect(JSON.stringify(decoded)).toContain(reason);
});

function wireBatch(resources: wire.Resource[]): wire.ConfigureResponse {
  return { ...fromBinary(wire.ConfigureResponseSchema, new Uint8Array()), resources };
}
