import { expect, test } from "@jest/globals";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import { parseCidr } from "../../core/model/ip.ts";
import { readExclusions } from "./capture-exclusions.ts";

test("readExclusions(): ports and blocks, with spaces or without", () => {
  const read = readExclusions({
    "weft.dev/exclude-inbound-ports": "9100, 9200",
    "weft.dev/exclude-outbound-ports": "25",
    "weft.dev/exclude-outbound-cidrs": "10.1.2.3/8,fd00::/8",
    other: "x",
  });
  expect(read).toEqual({
    exclusions: {
      inboundPorts: [9100, 9200],
      outboundPorts: [25],
      dnsAddresses: [],
      outboundBlocks: [parseCidr("10.0.0.0/8"), parseCidr("fd00::/8")],
    },
    reasons: [],
  });
  expect(readExclusions(undefined)).toEqual({ exclusions: NOTHING_EXCLUDED, reasons: [] });
});

test.each([
  ["exclude-inbound-ports", "80;90"],
  ["exclude-inbound-ports", "0"],
  ["exclude-inbound-ports", "65536"],
  ["exclude-inbound-ports", "080"],
  ["exclude-inbound-ports", ""],
  ["exclude-outbound-ports", "80,-j ACCEPT"],
  ["exclude-outbound-ports", Array.from({ length: 65 }, (_, i) => i + 1).join()],
  ["exclude-outbound-cidrs", "10.0.0.0/33"],
  ["exclude-outbound-cidrs", "10.0.0.0/8 -j ACCEPT"],
  ["exclude-outbound-cidrs", "example.com"],
])("readExclusions(): %s: %s excludes nothing, and says why", (name, text) => {
  const read = readExclusions({ [`weft.dev/${name}`]: text });
  expect(read.exclusions).toEqual(NOTHING_EXCLUDED);
  expect(read.reasons).toEqual([expect.stringContaining(`weft.dev/${name}`)]);
});
