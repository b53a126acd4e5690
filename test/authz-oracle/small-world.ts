/** The words of random policies and attempts: each beside others that it must not be taken for. */
import type { WrittenRule } from "./asked.ts";

export const DOMAINS = ["cluster.local", "old.example", "evil.example", "cluster.local.evil"];
export const NAMESPACES = ["shop", "shop-2", "sho", "ops"];
export const ACCOUNTS = ["web", "web2", "we", "web.v1"];
export const PORTS = [80, 81, 8080, 443];
export const PORT_TEXTS = PORTS.map(String);

export const ADDRESSES = [
  "10.0.0.7",
  "10.0.0.8",
  "10.0.1.7",
  "10.128.0.1",
  "11.0.0.7",
  "0.0.0.0",
  "255.255.255.255",
  "::ffff:10.0.0.7",
  "::ffff:a00:8",
  "fd00::1",
  "fd00::1:1",
  "fd00:0:0:1::1",
  "::1",
  "::a00:7",
];

export const BLOCKS = [
  ...ADDRESSES,
  "0.0.0.0/0",
  "10.0.0.0/8",
  "10.0.0.0/9",
  "10.0.0.99/24",
  "10.0.0.6/31",
  "10.0.0.7/32",
  "128.0.0.0/1",
  "::/0",
  "::/96",
  "::ffff:0:0/96",
  "::ffff:10.0.0.0/104",
  "::ffff:10.0.0.6/127",
  "::ffff:0:0/95",
  "fd00::/8",
  "fd00::/64",
  "fd00::/111",
  "fd00::1/128",
];

export const HOST_NAMES = ["api.shop", "api.shop.", "api.shop:8080", "[fd00::1]", "pi.shop"];
export const HOSTS = [
  ...HOST_NAMES,
  "API.Shop",
  "api.shop.:80",
  "api.shop:",
  "[fd00::1]:80",
  "fd00::1",
  "api.shop.evil",
  "",
];
export const SERVER_NAMES = ["api.shop", "API.shop", "api.shop.", "pi.shop"];

export const METHODS = ["GET", "POST", "GETX", "get"];

export const PATHS = [
  "/",
  "/admin",
  "/admin/",
  "/admin/x",
  "/Admin",
  "/adminx",
  "/a/b/c",
  "/a//c",
  "/a/b/b/c",
  "/a/c",
  "/a",
  "/a/",
  "/x.a/c",
  "*",
  "",
];
export const PATH_TEMPLATES = [
  "/{*}",
  "/{**}",
  "/a/{*}/c",
  "/a/{**}",
  "/a/{**}/c",
  "/{*}/b/{**}",
  "/{*}/{*}",
  "/admin/{*}",
  "/a/{*}",
  "/x.a/{*}",
];

export const HEADER_WORDS = ["admin", "user", "admin,user", "use"];
export const HEADER_LINES = [
  "admin",
  "user",
  "user, admin",
  "admin,user",
  "Admin",
  "",
  "use,",
  ",",
];

export const ISSUERS = ["https://idp.example", "https://idp.example/realm", "idp", ""];
export const SUBJECTS = ["alice", "realm/alice", "alic", "bob", ""];
export const REQUEST_PRINCIPALS = [
  "*",
  "https://idp.example/alice",
  "https://idp.example/realm/alice",
  "https://idp.example/*",
  "https://idp.example/ali*",
  "*/alice",
  "*.example/alice",
  "*lice",
  "https*",
  "idp*",
  "idp",
  "idp/",
  "IDP/alice",
];
export const CLAIM_WORDS = ["read", "write", "rea", "read write", "Read"];
export const CLAIM_VALUES: readonly unknown[] = [
  "read",
  "read write",
  " write  read",
  "",
  ["read", "write"],
  ["write", 7, null],
  [],
  7,
  null,
  { b: "read" },
  { b: ["write", "read"] },
  { c: "read" },
  { name: "read" },
];

export const PROVIDERS = ["opa", "idp", "unknown"];
export const LABELS: readonly Readonly<Record<string, string>>[] = [
  { app: "api" },
  { app: "web" },
  { app: "api", tier: "back" },
  { app: "api", tier: "" },
  {},
];

/** None of these can be evaluated, so none may be taken for something narrower. */
export const BROKEN_RULES: readonly WrittenRule[] = [
  { from: [] },
  { from: [{ source: {} }] },
  { from: [{ source: { principals: [] } }] },
  { from: [{ source: { namespaces: [""] } }] },
  { from: [{ source: { principals: ["a*b"] } }] },
  { from: [{ source: { principals: ["spiffe://cluster.local/ns/shop/sa/web"] } }] },
  { from: [{ source: { ipBlocks: ["10.0.0.0/33"] } }] },
  { from: [{ source: { remoteIpBlocks: ["010.0.0.1"] } }] },
  { to: [{ operation: { ports: ["0"] } }] },
  { to: [{ operation: { paths: ["/a/{**}/{*}"] } }] },
  { to: [{ operation: { metods: ["GET"] } }] },
  { when: [{ key: "source.user", values: ["a"] }] },
  { when: [{ key: "request.headers[]", values: ["a"] }] },
  { when: [{ key: "source.ip" }] },
];
