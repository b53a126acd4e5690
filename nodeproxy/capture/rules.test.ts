import { expect, test } from "@jest/globals";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import { parseCidr } from "../../core/model/ip.ts";
import { isRedirecting, rulesToApply, rulesToRemove, rulesToStop, weftRules } from "./rules.ts";

const APPLIED = `*nat
:PREROUTING ACCEPT [0:0]
:WEFT_OUTPUT - [0:0]
-A PREROUTING -j WEFT_PREROUTING
-A OUTPUT -j WEFT_OUTPUT
-A WEFT_PREROUTING -p tcp -j REDIRECT --to-ports 15006
-A WEFT_OUTPUT -p tcp -j REDIRECT --to-ports 15001
COMMIT
`;

test("rulesToApply(): redirects first packets only, spares the proxy's mark and the tunnel's port", () => {
  const text = rulesToApply(4, "");
  const redirects = text.split("\n").filter((line) => line.includes("REDIRECT"));
  expect(redirects).toHaveLength(4);
  for (const line of redirects) expect(line).toContain("--tcp-flags FIN,SYN,RST,ACK SYN");
  expect(text).toContain("-m socket --nowildcard -j REDIRECT --to-ports 15006");
  expect(text.indexOf("-A WEFT_OUTPUT -m mark --mark 0x539/0xfff -j ACCEPT")).toBeGreaterThan(0);
  expect(text.indexOf("--dport 15008 -j ACCEPT")).toBeLessThan(text.indexOf("15006"));
  expect(text).not.toContain("-D ");
});

test("rulesToApply(): the gate's address of the family, before loopback is left alone", () => {
  for (const [family, gate] of [
    [4, "169.254.7.1/32"] as const,
    [6, "fd16:9254:7::1/128"] as const,
  ]) {
    const nat = rulesToApply(family, "").split("*nat")[1] ?? "";
    expect(nat).toContain(gate);
    expect(nat.indexOf(gate)).toBeLessThan(nat.indexOf("-A WEFT_OUTPUT -o lo -j RETURN"));
  }
});

test("rulesToApply() and rulesToRemove(): delete exactly the jumps that are there, in their own table", () => {
  for (const text of [rulesToApply(4, APPLIED), rulesToRemove(4, APPLIED)]) {
    const [before, nat] = text.split("*nat");
    expect(before).not.toContain("-D ");
    expect(nat?.match(/^-D /gm)).toHaveLength(2);
  }
});

test("rulesToApply(): to ports that nobody listens on goes a reset, where the kernel can tell", () => {
  const able = rulesToApply(4, "");
  expect(able.indexOf("--to-ports 15006")).toBeLessThan(able.indexOf("--to-ports 15009"));
  expect(able).toContain("-A WEFT_INPUT -p tcp -m tcp --dport 15009 -j REJECT");
  const options = { canFindListeners: false, exclusions: NOTHING_EXCLUDED };
  const unable = rulesToApply(4, "", options);
  expect(unable).toContain("ACK SYN -j REDIRECT --to-ports 15006");
  expect(unable).not.toContain("-m socket");
});

test("rulesToApply(): what is excluded returns before the redirect, and after what the proxy itself needs", () => {
  const blocks = ["10.0.0.0/8", "fd00::/8"].flatMap((text) => parseCidr(text) ?? []);
  const dnsAddresses = ["10.96.0.10", "fd96::a"];
  const exclusions = {
    inboundPorts: [9100],
    outboundPorts: [25],
    outboundBlocks: blocks,
    dnsAddresses,
  };
  const text = rulesToApply(6, "", { canFindListeners: true, exclusions });
  const rules = text.split("\n").filter((line) => line.startsWith("-A WEFT_"));
  expect(rules.slice(rules.findIndex((rule) => rule.includes("PREROUTING -i lo -j")))).toEqual([
    "-A WEFT_PREROUTING -i lo -j RETURN",
    "-A WEFT_PREROUTING -p tcp -m tcp --dport 9100 -j RETURN",
    expect.stringContaining("--to-ports 15006"),
    expect.stringContaining("--to-ports 15009"),
    expect.stringContaining("--mark 0x539/0xfff -j ACCEPT"),
    expect.stringContaining("--dport 15021 -j REDIRECT"),
    "-A WEFT_OUTPUT -o lo -j RETURN",
    "-A WEFT_OUTPUT -p tcp -m tcp --dport 25 -j RETURN",
    "-A WEFT_OUTPUT -d fd00::/8 -j RETURN",
    "-A WEFT_OUTPUT -d fd96::a -p tcp -m tcp --dport 53 -j RETURN",
    expect.stringContaining("--to-ports 15001"),
  ]);
});

test("rulesToStop(): touches the nat table's own chains only", () => {
  expect(rulesToStop()).toBe("*nat\n:WEFT_PREROUTING - [0:0]\n:WEFT_OUTPUT - [0:0]\nCOMMIT\n");
});

test("isRedirecting(): not with an empty chain, nor behind somebody's rule", () => {
  expect(isRedirecting(APPLIED)).toBe(true);
  expect(isRedirecting(APPLIED.replace(/-A WEFT_OUTPUT.*\n/, ""))).toBe(false);
  expect(isRedirecting(APPLIED.replace("-A OUTPUT", "-A OUTPUT -j ACCEPT\n-A OUTPUT"))).toBe(false);
});

test("weftRules(): other people's rules and counters do not matter", () => {
  const other = APPLIED.replace("[0:0]", "[7:420]").replace("COMMIT", "-A OUTPUT -j KUBE\nCOMMIT");
  expect(weftRules(other)).toBe(weftRules(APPLIED));
});
