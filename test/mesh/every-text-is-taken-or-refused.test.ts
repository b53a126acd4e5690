/**
 * Every parser of texts that others wrote, fed with some hundred thousand changed ones: each is taken or refused, none
 * throws or hangs; and what is taken means the same to a second reader where there is one.
 */
import { isIP } from "node:net";
import { jest } from "@jest/globals";
import { canonicalIp, formatIp, ipBytes, isInCidr, parseCidr } from "../../core/model/ip.ts";
import { formatSpiffeId, parseSpiffeId } from "../../core/model/spiffe-id.ts";
import { formatCertificatesPem, parseCertificatesPem } from "../../core/x509/pem.ts";
import { parseTcpTable } from "../../nodeproxy/capture/parse-tcp-table.ts";
import { podUidOfCgroup } from "../../nodeproxy/capture/pod-uid.ts";
import { gateAnswer, gateQuestion, isGateAnswer } from "../../nodeproxy/gate/gate-protocol.ts";
import { HelloReader } from "../../nodeproxy/inbound/hello-reader.ts";
import { isOwnPort, parseAttempt } from "../../nodeproxy/inbound/parse-attempt.ts";
import { mergeMetrics } from "../../nodeproxy/telemetry/merge-metrics.ts";
import { extension, helloMessage, recordsOf, serverNames } from "../fakes/client-hello.ts";
import { fuzzBytes, fuzzText, hold } from "../fakes/fuzz.ts";
import { sized } from "../soak.ts";

jest.setTimeout(sized(600_000, 7_200_000));

const ADDRESSES = [
  "10.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "2001:db8::8:800:200c:417a",
  "1:2:3:4:5:6:7:8",
  "::ffff:10.0.0.1",
  "64:ff9b::192.0.2.33",
  "fe80::1%eth0",
];

fuzzText("canonicalIp(), ipBytes()", { share: 0.12, seeds: ADDRESSES }, (text) => {
  const canonical = canonicalIp(text);
  // Node stops at NUL, and takes zones.
  const isAddress = isIP(text) !== 0 && !/[%\0]/.test(text);
  hold((canonical !== undefined) === isAddress, "Node sees it otherwise", text);
  if (canonical === undefined) return "refused";
  hold(canonicalIp(canonical) === canonical, "not canonical", text);
  hold(formatIp(ipBytes(text) ?? []) === canonical, "other bytes", text);
  return "taken";
});

const BLOCKS = ["10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "::ffff:10.1.0.0/112", ...ADDRESSES];

fuzzText("parseCidr()", { share: 0.08, seeds: BLOCKS }, (text) => {
  const cidr = parseCidr(text);
  const [address = "", prefix, ...rest] = text.split("/");
  const isBlock = canonicalIp(address) !== undefined && rest.length === 0;
  if (!cidr) return "refused";
  hold(isBlock && (prefix === undefined || /^[0-9]{1,3}$/.test(prefix)), "no block", text);
  hold(cidr.prefixLength >= 0 && cidr.prefixLength <= cidr.bytes.length * 8, "a prefix", text);
  hold(isInCidr(cidr, cidr.bytes), "a block without its own address", text);
  return "taken";
});

const IDENTITIES = [
  "spiffe://cluster.local/ns/shop/sa/web",
  "spiffe://a-b.c_d/ns/x/sa/system.y-1",
  "spiffe://cluster.local/ns/a/sa/b/ns/c/sa/d",
  "spiffe://u@cluster.local:1/ns/%2e./sa/b?q#f",
];

fuzzText("parseSpiffeId()", { share: 0.08, seeds: IDENTITIES }, (text) => {
  const id = parseSpiffeId(text);
  if (!id) return "refused";
  hold(formatSpiffeId(id) === text, "it is written otherwise", text);
  const url = URL.parse(text);
  const isSame = url?.host === id.trustDomain && url.pathname === new URL(text).pathname;
  hold(isSame && url.search === "" && url.hash === "", "URL() sees another", text);
  return "taken";
});

const AUTHORITIES = [
  "10.77.0.3:80",
  "[::ffff:10.77.0.3]:8080",
  "[fd77::3]:80",
  "b.shop:80",
  "10.77.0.3:15008",
];
const OWN_ADDRESS = "10.77.0.3";

fuzzText("parseAttempt()", { share: 0.08, seeds: AUTHORITIES }, (authority) => {
  const request = { method: "CONNECT", authority, path: undefined, scheme: undefined };
  const parsed = parseAttempt(request, OWN_ADDRESS, [OWN_ADDRESS]);
  if (parsed.kind === "malformed") return "refused";
  const { address, port } = parsed;
  hold(
    address === OWN_ADDRESS && port > 0 && port < 65_536 && !isOwnPort(port),
    "not ours",
    authority,
  );
  const url = URL.parse(`weft://${authority}`);
  const host = url?.hostname.replace(/^\[|\]$/g, "") ?? "";
  hold(canonicalIp(host) === address && url?.port === `${port}`, "URL() sees another", authority);
  return "taken";
});

const GREASE = extension(0x2a2a, Buffer.alloc(1));
const HELLOS = [
  recordsOf(helloMessage([GREASE, serverNames("api.shop"), extension(16, Buffer.alloc(12))])),
  recordsOf(helloMessage([serverNames("a.b"), GREASE]), 40),
  recordsOf(helloMessage([GREASE])),
  recordsOf(helloMessage(undefined)),
];

fuzzBytes("HelloReader", { share: 0.08, seeds: HELLOS }, (bytes, random) => {
  const hello = new HelloReader().take(bytes);
  const reader = new HelloReader();
  const at = random.below(bytes.length + 1);
  const early = reader.take(bytes.subarray(0, at));
  const late = reader.take(bytes.subarray(at));
  hold(JSON.stringify(late) === JSON.stringify(hello), "another by another cut", bytes);
  hold(!early || JSON.stringify(early) === JSON.stringify(late), "told too early", bytes);
  if (hello?.kind !== "hello") return "refused";
  hold(/^[A-Za-z0-9._-]{0,255}$/.test(hello.serverName), "no name of a host", bytes);
  return "taken";
});

const NONCE = "0123456789abcdef";
const QUESTIONS = [gateQuestion(NONCE), gateQuestion(NONCE.repeat(4)), `weft-gate 12 ${NONCE}\n`];

fuzzText("gateAnswer()", { share: 0.04, seeds: QUESTIONS }, (text) => {
  const answer = gateAnswer(text);
  if (answer === undefined) return "refused";
  hold(isGateAnswer(answer, text.trim().split(" ")[2] ?? ""), "another answer", text);
  return "taken";
});

const TCP_TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0200A8C0:0016 0300A8C0:D431 01 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:0016 0200007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1 1
`;

fuzzText("parseTcpTable()", { share: 0.03, seeds: [TCP_TABLE] }, (text) => {
  const keys = parseTcpTable(text);
  hold(keys.size <= text.split("\n").length, "more than lines", text);
  return keys.size > 0 ? "taken" : "refused";
});

const CGROUPS = [
  "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod01234567_89ab_cdef_0123_456789abcdef.slice/x",
  "12:memory:/kubepods/besteffort/pod01234567-89ab-cdef-0123-456789abcdef/0123\n11:cpu:/",
];

fuzzText("podUidOfCgroup()", { share: 0.03, seeds: CGROUPS }, (text) => {
  const uid = podUidOfCgroup(text);
  if (uid === undefined) return "refused";
  hold(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uid), "no UID", text);
  return "taken";
});

const PEMS = [
  formatCertificatesPem([Buffer.alloc(90, 7)]),
  formatCertificatesPem([Buffer.alloc(5), Buffer.alloc(60)]),
];

fuzzText("parseCertificatesPem()", { share: 0.03, seeds: PEMS }, (text) => {
  const parsed = parseCertificatesPem(text);
  if (parsed.kind === "malformed") return "refused";
  hold(
    parseCertificatesPem(formatCertificatesPem(parsed.certificates)).kind === "parsed",
    "once",
    text,
  );
  return "taken";
});

const METRICS = `# HELP weft_x Help
# TYPE weft_x counter
weft_x{process="traffic",source="a\\"b"} 1
# TYPE weft_y histogram
weft_y_bucket{le="+Inf",process="traffic"} 1e+3
`;

fuzzText("mergeMetrics()", { share: 0.03, seeds: [METRICS] }, (text) => {
  const merged = mergeMetrics('# TYPE weft_c counter\nweft_c{process="control"} 1\n', text);
  const control = merged
    .split("\n")
    .filter((line) => /^weft_c[{ ]/.test(line) && !line.includes('process="traffic"'));
  hold(control.length === 1, "traffic spoke for control", text);
  return merged.includes("weft_x{") ? "taken" : "refused";
});
