/**
 * What Istio says of calls under the policies in this folder: for `reference-…` in the text around the example, for
 * `tested-…` in its own integration tests (authz_test.go, jwt_test.go). Not a test itself.
 *
 * A row is `caller -> pod:port METHOD path [header: value] [by TOKEN]: permit | refuse`. What follows a `!` is the row of the
 * guide's table of differences by which it is the other way here.
 */

/** Claims, as in Istio's tokens; `exp` is added. */
export const TOKENS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  ISSUER_1: { iss: "test-issuer-1@istio.io", sub: "sub-1", groups: ["group-1"] },
  ISSUER_2: { iss: "test-issuer-2@istio.io", sub: "sub-2", groups: ["group-2"] },
  AUD: { iss: "test-issuer-1@istio.io", sub: "sub-1", aud: "foo" },
  AUD_LIST: { iss: "test-issuer-1@istio.io", sub: "sub-1", aud: ["foo", "buzz"] },
  AZP: { iss: "test-issuer-1@istio.io", sub: "sub-1", azp: "bar" },
  PERMISSION: { iss: "test-issuer-2@istio.io", sub: "sub-2", permission: "read write" },
  SCOPE: { iss: "test-issuer-2@istio.io", sub: "sub-2", scope: "write read" },
  CUSTOM_SCOPE: { iss: "test-issuer-2@istio.io", sub: "sub-2", custom_scope: "admin user" },
  NESTED_1: {
    iss: "test-issuer-1@istio.io",
    sub: "sub-1",
    nested: { key1: ["valueA", "valueB"], "nested-2": { key1: ["valueA", "valueB"] } },
  },
  NESTED_2: {
    iss: "test-issuer-1@istio.io",
    sub: "sub-1",
    nested: { key2: "valueC", "nested-2": { key2: "valueC" } },
  },
  EXPIRED: { iss: "test-issuer-1@istio.io", sub: "sub-1", exp: 1_562_182_856 },
  FOO: { iss: "issuer-foo", sub: "ada" },
  GOOGLE: { iss: "https://accounts.google.com", sub: "ada" },
};

function denied(name: string): readonly string[] {
  return [
    "echo1/a -> echo1/b:17070 POST /proto.EchoTestService/Echo: permit",
    "echo2/a -> echo1/b:17070 POST /proto.EchoTestService/Echo: refuse",
    "echo1/a -> echo1/b:19090: permit",
    "echo2/a -> echo1/b:19090: refuse",
    ...["18080", "18085"].flatMap((port) => [
      `echo1/a -> echo1/b:${port} GET /deny: permit`,
      `echo2/a -> echo1/b:${port} GET /deny: refuse`,
      `echo2/a -> echo1/b:${port} GET /deny?param=value: refuse`,
      `echo2/a -> echo1/b:${port} GET /deny/allow: permit`,
      `echo2/a -> echo1/b:${port} GET /deny/allow?param=value: permit`,
      `echo2/a -> echo1/b:${port} GET /${name}: permit`,
    ]),
  ];
}

const ALLOWED: readonly string[] = [
  "echo1/a -> echo1/b:17070 POST /proto.EchoTestService/Echo: permit",
  "echo2/a -> echo1/b:17070 POST /proto.EchoTestService/Echo: refuse",
  "echo1/a -> echo1/b:19090: permit",
  "echo2/a -> echo1/b:19090: refuse",
  "echo1/a -> echo1/b:18080 GET /allow: permit",
  "echo2/a -> echo1/b:18080 GET /allow: refuse",
  "echo1/a -> echo1/b:18085 GET /allow?param=value: permit",
  "echo1/a -> echo1/b:18080 GET /deny: refuse",
];

export const VERDICTS: Readonly<Record<string, readonly string[]>> = {
  "reference-allow-with-token": [
    "default/sleep -> foo/httpbin:8080 GET /info by GOOGLE: permit",
    "default/sleep -> foo/httpbin:8080 GET /info/1 by GOOGLE: permit",
    "test/any -> foo/httpbin:8080 POST /data by GOOGLE: permit",
    "test/any -> foo/httpbin:8080 POST /info by GOOGLE: refuse",
    "default/other -> foo/httpbin:8080 GET /info by GOOGLE: refuse",
    "default/sleep -> foo/httpbin:8080 GET /info: refuse",
  ],
  "reference-deny-post-from-dev": [
    "dev/any -> foo/httpbin:8080 POST /: refuse",
    "dev/any -> foo/httpbin:8080 GET /: permit",
    "test/any -> foo/httpbin:8080 POST /: permit",
    "dev/any -> bar/httpbin:8080: permit",
    // Istio looks whether a port is HTTP that nothing declares.
    "dev/any -> foo/undeclared:8080 GET /: permit !HTTP",
  ],
  "reference-deny-post-on-a-port": [
    "test/any -> foo/httpbin:8080 POST /: refuse",
    "test/any -> foo/httpbin:8080 GET /: permit",
    "test/any -> foo/httpbin:18080 POST /: permit",
    "test/any -> foo/undeclared:8080 GET /: permit",
    // "All TCP traffic on port 8080 would be denied".
    "test/any -> foo/opaque:8080: refuse",
    "test/any -> foo/opaque:19090: permit",
  ],
  "reference-audit": [
    "test/any -> ns1/myapi:8080 GET /user/profile/1: permit",
    "test/any -> ns1/myapi:8080 POST /: permit",
  ],
  "reference-allow-nothing": [
    "foo/any -> foo/httpbin:8080: refuse",
    "plaintext -> foo/httpbin:19090: refuse",
    "foo/any -> bar/httpbin:8080: permit",
  ],
  "reference-allow-all": ["plaintext -> foo/httpbin:8080: permit"],
  "reference-allow-nothing-to-httpbin": [
    "bar/any -> bar/httpbin:8080: refuse",
    "bar/any -> bar/other:8080: permit",
  ],
  "reference-allow-nothing-in-root": [
    "test/any -> foo/httpbin:8080: refuse !root namespace",
    "test/any -> istio-system/httpbin:8080: refuse",
  ],
  "reference-dry-run": [
    "test/any -> default/httpbin:8080 GET /headers: permit !dry run",
    "test/any -> default/httpbin:8080 GET /: permit",
  ],
  "reference-custom": [
    "test/any -> istio-system/istio-ingressgateway:8080 GET /admin/x: refuse",
    "test/any -> istio-system/istio-ingressgateway:8080 GET /: permit",
    "test/any -> istio-system/other:8080: permit",
  ],
  "reference-peer-strict": [
    "plaintext -> foo/httpbin:8080: refuse",
    "test/any -> foo/httpbin:8080: permit",
    "plaintext -> bar/httpbin:8080: permit",
  ],
  "reference-peer-permissive-but-finance": [
    "plaintext -> foo/finance:8080: refuse",
    "plaintext -> foo/httpbin:8080: permit",
    "test/any -> foo/finance:8080: permit",
  ],
  "reference-peer-strict-but-a-port": [
    "plaintext -> foo/finance:19090: refuse",
    "plaintext -> foo/finance:8080: permit",
    "test/any -> foo/finance:8080: refuse !PeerAuthentication `DISABLE`",
  ],
  "reference-peer-unset-but-a-port": ["plaintext -> foo/finance:8080: permit"],
  "reference-token-require": [
    "test/any -> foo/httpbin:8080 GET / by FOO: permit",
    "test/any -> foo/httpbin:8080 GET /: refuse",
    "test/any -> foo/httpbin:8080 GET / by ISSUER_1: refuse",
  ],
  "reference-token-require-in-root": [
    "test/any -> istio-system/httpbin:8080 GET / by FOO: permit",
    "test/any -> istio-system/httpbin:8080 GET /: refuse",
    "test/any -> foo/httpbin:8080: refuse !root namespace",
  ],
  "reference-token-except-healthz": [
    "test/any -> foo/httpbin:8080 GET /healthz: permit",
    "test/any -> foo/httpbin:8080 GET /: refuse",
  ],
  "tested-allow-namespace": ALLOWED,
  "tested-allow-principal": ALLOWED,
  "tested-allow-serviceaccount": ALLOWED,
  "tested-deny-namespace": denied("allow"),
  "tested-deny-principal": denied("allow?param=value"),
  "tested-deny-global": [
    "echo1/a -> istio-system/b:18080 GET /global-deny: refuse",
    "echo1/a -> istio-system/b:18080 GET /global-deny?param=value: refuse",
    "echo1/a -> istio-system/b:18085 GET /global-deny/allow: permit",
    "echo1/a -> echo1/b:18080: refuse !root namespace",
  ],
  "tested-conditions": [
    "echo1/a -> echo1/b:18080 GET /request-headers x-foo: foo: permit",
    "echo1/a -> echo1/b:18080 GET /request-headers x-foo: bar: refuse",
    "echo1/a -> echo1/b:18080 GET /request-headers: refuse",
    "echo1/a -> echo1/b:18080 GET /request-headers-notValues x-foo: foo: permit",
    "echo1/a -> echo1/b:18080 GET /request-headers-notValues x-foo: bar: refuse",
    "echo1/a -> echo1/b:18080 GET /source-trust-domain: permit",
    "echo1/a -> echo1/b:18080 GET /source-trust-domain-notValues: permit",
    "echo1/a -> echo1/b:18080 GET /destination-ip-good: permit",
    "echo1/a -> echo1/b:18080 GET /destination-ip-bad: refuse",
    "echo1/a -> echo1/b:18080 GET /destination-ip-notValues: refuse",
    "echo1/a -> echo1/b:18080 GET /destination-port-good: permit",
    "echo1/a -> echo1/b:18080 GET /destination-port-bad: refuse",
    "echo1/a -> echo1/b:18080 GET /destination-port-notValues: refuse",
    "echo1/a -> echo1/b:18080 GET /connection-sni-good: permit !`connection.sni`",
    "echo1/a -> echo1/b:18080 GET /connection-sni-bad: refuse",
    "echo1/a -> echo1/b:18080 GET /connection-sni-notValues: refuse",
    "echo1/a -> echo1/b:18080 GET /other: refuse",
    ...["source-ip", "source-namespace", "source-principal"].flatMap((path) => [
      `echo1/a -> echo1/b:18080 GET /${path}: permit`,
      `echo1/a -> echo1/b:18080 GET /${path}-notValues: permit`,
      `echo2/a -> echo1/b:18085 GET /${path}: refuse`,
      `echo2/a -> echo1/b:18085 GET /${path}-notValues: refuse`,
    ]),
  ],
  "tested-not-host": [
    "echo1/a -> echo1/b:18080 GET / host: allow.b.com: permit",
    "echo1/a -> echo1/b:18080 GET / host: deny.b.com: refuse",
  ],
  "tested-not-method": [
    "echo1/a -> echo1/b:18080 GET /: permit",
    "echo1/a -> echo1/b:18085 PUT /: refuse",
  ],
  "tested-not-namespace": ["echo1/a -> echo1/b:18080: permit", "echo2/a -> echo1/b:19090: refuse"],
  "tested-not-port": ["echo1/a -> echo1/b:18080: permit", "echo1/a -> echo1/b:18085: refuse"],
  "tested-path-precedence": [
    "echo1/a -> echo1/b:18080 GET /allow/admin: refuse",
    "echo1/a -> echo1/b:18080 GET /allow/admin?param=value: refuse",
    "echo1/a -> echo1/b:18080 GET /allow: permit",
    "echo1/a -> echo1/b:18080 GET /allow?param=value: permit",
  ],
  "tested-path-templating": [
    "echo1/a -> echo1/b:18080 GET /allow/admin/: permit",
    "echo1/a -> echo1/b:18080 GET /allow/admin: refuse",
    "echo1/a -> echo1/b:18080 GET /allow/user/: refuse",
    "echo1/a -> echo1/b:18080 GET /allow/admin?param=value: refuse",
    "echo1/a -> echo1/b:18080 GET /allow: refuse",
    "echo1/a -> echo1/b:18080 GET /allow/admin/temp: permit",
    "echo1/a -> echo1/b:18080 GET /allow/admin/foo/temp.txt: permit",
    "echo1/a -> echo1/b:18080 GET /foo/buzz/bar/bat.txt: permit",
    "echo1/a -> echo1/b:18080 GET /foo/buzz/bar/bat/fuzz.txt: permit",
    "echo1/a -> echo1/b:18080 GET /foo/bar/bat.txt: refuse",
    "echo1/a -> echo1/b:18080 GET /foo//bar/bat.txt: refuse",
    "echo1/a -> echo1/b:18080 GET /foo/buzz/bar/bat: permit",
    "echo1/a -> echo1/b:18080 GET /store//cart: permit !paths",
  ],
  "tested-path-normalization": [
    ...["/public", "/public/../public"].map(
      (path) => `echo1/a -> echo1/b:18080 GET ${path}: permit`,
    ),
    ...["/private", "/public/../private", "/public/./../private", "/public/.././private"].map(
      (path) => `echo1/a -> echo1/b:18080 GET ${path}: refuse`,
    ),
    ...["%2E%2E", "%2e%2e", "%2E/%2E%2E", "%2e/%2e%2e", "%2E%2E/%2E", "%2e%2e/%2e"].map(
      (dots) => `echo1/a -> echo1/b:18080 GET /public/${dots}/private: refuse`,
    ),
  ],
  "tested-workload": [
    "echo1/a -> echo1/b:18080 GET /policy-echo1-b: permit",
    "echo1/a -> echo1/b:18080 GET /policy-echo1-b-bad: refuse",
    "echo1/a -> echo1/c:18080: permit",
  ],
  "tested-workload-bad": ["echo1/a -> echo1/b:18080: permit"],
  "tested-workload-ns": [
    "echo1/a -> echo1/c:18080 GET /policy-echo1-all: permit",
    "echo1/a -> echo1/c:18080 GET /policy-echo2-all: refuse",
    "echo1/a -> echo2/c:18080: permit",
  ],
  "tested-workload-system-ns": [
    "echo1/a -> istio-system/b:18080 GET /policy-system-b: permit",
    "echo1/a -> istio-system/b:18080 GET /policy-system-c: refuse",
    "echo1/a -> echo1/b:18080: refuse !root namespace",
  ],
  "tested-mtls": ["plaintext -> echo1/b:18080: refuse", "echo1/a -> echo1/b:18080: permit"],
  "tested-plaintext": ["plaintext -> echo1/b:18080: refuse", "echo1/a -> echo1/b:18080: permit"],
  "tested-custom-provider": [
    "echo1/a -> echo1/b:18080 GET /custom: refuse",
    "echo1/a -> echo1/b:19090: refuse",
    "echo1/a -> echo1/b:18080 GET /: permit",
  ],
  "tested-authn-only": [
    "echo1/a -> echo1/b:18080 GET / by ISSUER_1: permit",
    "echo1/a -> echo1/b:18080 GET / by ISSUER_2: permit",
    "echo1/a -> echo1/b:18080 GET / by EXPIRED: refuse",
    "echo1/a -> echo1/b:18080 OPTIONS / by EXPIRED: refuse",
    "echo1/a -> echo1/b:18080 OPTIONS / preflight by EXPIRED: permit !CORS preflights",
    "echo1/a -> echo1/b:18080 GET /: permit",
  ],
  "tested-authn-authz": [
    "echo1/a -> echo1/b:18080 GET / by ISSUER_1: permit",
    "echo1/a -> echo1/b:18080 GET / by EXPIRED: refuse",
    "echo1/a -> echo1/b:18080 GET /: refuse",
  ],
  "tested-aud": [
    "echo1/a -> echo1/b:18080 GET /valid-aud by ISSUER_1: refuse",
    "echo1/a -> echo1/b:18080 GET /valid-aud by AUD: permit",
    "echo1/a -> echo1/b:18080 GET /verify-policies-are-combined by ISSUER_2: permit",
  ],
  "tested-jwt": [
    ...["/token1", "/token2", "/tokenAny", "/custom-scope-admin"].map(
      (path) => `echo1/a -> echo1/b:18080 GET ${path}: refuse`,
    ),
    ...tokens("permit", [
      ["ISSUER_1", "/token1", "/tokenAny", "/valid-jwt"],
      ["ISSUER_2", "/token2", "/token3", "/tokenAny"],
      ["PERMISSION", "/permission"],
      ["SCOPE", "/scope"],
      ["NESTED_1", "/nested-key1", "/nested-2-key1"],
      ["NESTED_2", "/nested-key2"],
      ["AUD", "/audiences"],
      ["AUD_LIST", "/audiences"],
      ["AZP", "/request/presenter"],
    ]),
    ...tokens("refuse", [
      ["ISSUER_1", "/token2", "/token3", "/permission", "/custom-scope-admin", "/presenter"],
      ["ISSUER_2", "/token1", "/permission", "/audiences"],
      ["SCOPE", "/otherscope"],
      ["NESTED_1", "/nested-key2", "/nested-non-exist"],
      ["NESTED_2", "/nested-key1", "/nested-2-key1", "/nested-non-exist"],
    ]),
    ...tokens("permit !`spaceDelimitedClaims`", [
      ["CUSTOM_SCOPE", "/custom-scope-admin", "/custom-scope-user"],
    ]),
  ],
};

function tokens(
  verdict: string,
  asked: readonly (readonly [token: string, ...paths: readonly string[]])[],
): readonly string[] {
  return asked.flatMap(([token, ...paths]) =>
    paths.map((path) => `echo1/a -> echo1/b:18080 GET ${path} by ${token}: ${verdict}`),
  );
}
