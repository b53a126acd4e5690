import { expect, test } from "@jest/globals";
import type { CompiledPolicy } from "../../core/model/authorization-policy.ts";
import { parseAuthorizationPolicy } from "../resources/authorization-policy.ts";
import type { DeclaredPort } from "../resources/service.ts";
import { compileAuthorization } from "./authorization.ts";
import {
  asksServerName,
  compileHttpPorts,
  contradictedPorts,
  declaredTlsPorts,
  httpAskOf,
  rulePorts,
} from "./http-ports.ts";

function policyOf(spec: object): Pick<CompiledPolicy, "rules"> {
  const parsed = parseAuthorizationPolicy(
    {
      apiVersion: "weft.dev/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "p", namespace: "shop" },
      spec,
    },
    { rootNamespace: "weft-system" },
  );
  if (parsed.kind === "refused") throw new Error(JSON.stringify(parsed.reasons));
  const compiled = compileAuthorization(parsed);
  if (!compiled) throw new Error("nothing compiled");
  return compiled.policy;
}

function rules(...written: readonly object[]) {
  return httpAskOf(policyOf({ action: "DENY", rules: written }));
}

const GET = { operation: { methods: ["GET"] } };
const PORT_80 = { operation: { ports: ["80"] } };
const GET_80 = { operation: { methods: ["GET"], ports: ["80"] } };
const NONE = new Map<string, number>();

test("httpAskOf(): attributes of layer 4 ask for nothing", () => {
  expect(rules({ to: [PORT_80] }, { from: [{ source: { namespaces: ["a"] } }] })).toEqual({
    asks: false,
    ports: [],
  });
});

test("httpAskOf(): an operation with an HTTP attribute names its ports", () => {
  expect(rules({ to: [GET_80] })).toEqual({ asks: true, ports: [80] });
  expect(rules({ to: [GET] })).toEqual({ asks: true, ports: [] });
});

test("httpAskOf(): ports of other rules, and of operations without attributes, are not made HTTP", () => {
  const database = { operation: { ports: ["5432"] } };
  expect(rules({ to: [database] }, { to: [GET_80] }).ports).toEqual([80]);
  expect(rules({ to: [GET, PORT_80] }).ports).toEqual([]);
});

test("httpAskOf(): an attribute of the caller or a condition holds for all ports that the rule names", () => {
  const from = [{ source: { requestPrincipals: ["*"] } }];
  expect(rules({ from, to: [PORT_80] }).ports).toEqual([80]);
  const when = [
    { key: "request.headers[x-a]", values: ["1"] },
    { key: "destination.port", values: ["81"] },
  ];
  expect(rules({ to: [PORT_80], when }).ports).toEqual([80, 81]);
  expect(rules({ when: [{ key: "remote.ip", values: ["10.0.0.1"] }] }).asks).toBe(true);
});

test("httpAskOf(): a server name is TLS's and no request's", () => {
  expect(rules({ to: [PORT_80], when: [{ key: "connection.sni", values: ["a"] }] })).toEqual({
    asks: false,
    ports: [],
  });
});

test("asksServerName(): only a condition on the server's name does", () => {
  const asked = { to: [GET_80], when: [{ key: "connection.sni", notValues: ["a"] }] };
  expect(asksServerName(policyOf({ action: "ALLOW", rules: [{}, asked] }))).toBe(true);
  expect(asksServerName(policyOf({ action: "ALLOW", rules: [{ to: [GET_80] }] }))).toBe(false);
});

test("rulePorts(): those that each operation names, and a condition", () => {
  const when = [{ key: "destination.port", values: ["81"] }];
  function portsOfRule(rule: object): readonly number[] {
    return policyOf({ action: "DENY", rules: [rule] }).rules.flatMap(rulePorts);
  }
  expect(portsOfRule({ to: [PORT_80], when })).toEqual([80, 81]);
  expect(portsOfRule({ to: [PORT_80, GET_80] })).toEqual([80, 80]);
  expect(portsOfRule({ to: [PORT_80, GET] })).toEqual([]);
  expect(portsOfRule({ from: [{ source: { namespaces: ["a"] } }] })).toEqual([]);
});

function portsOf(
  asks: readonly ReturnType<typeof httpAskOf>[],
  declared: readonly DeclaredPort[],
  authenticates = false,
) {
  return compileHttpPorts({ asks, authenticates, declared, portNames: NONE });
}

const DECLARED: readonly DeclaredPort[] = [
  { target: 8080, appProtocol: "http" },
  { target: 8081, appProtocol: "kubernetes.io/ws" },
  { target: 9090, appProtocol: "grpc" },
  { target: 9091, appProtocol: "kubernetes.io/h2c" },
  { target: 443, appProtocol: "https" },
  { target: 6379, appProtocol: "tcp" },
  { target: 53, appProtocol: "" },
  { target: 54, appProtocol: "constructor" },
];
const HTTP = [
  { port: 8080, version: "http1" },
  { port: 8081, version: "http1" },
  { port: 9090, version: "http2" },
  { port: 9091, version: "http2" },
];

test("compileHttpPorts(): nothing is HTTP where nobody asks for it", () => {
  expect(portsOf([rules({ to: [PORT_80] })], DECLARED)).toEqual([]);
});

test("compileHttpPorts(): where anything asks, what is declared is HTTP, and nothing else", () => {
  expect(portsOf([rules({ to: [GET] })], DECLARED)).toEqual(HTTP);
  expect(portsOf([], DECLARED, true)).toEqual(HTTP);
});

test("compileHttpPorts(): a port that a policy alone names is HTTP/1.1", () => {
  expect(portsOf([rules({ to: [GET_80] })], [])).toEqual([{ port: 80, version: "http1" }]);
});

test("compileHttpPorts(): what a Service declares stands above what a policy names", () => {
  const ask = rules({ to: [{ operation: { methods: ["GET"], ports: ["6379", "9090", "53"] } }] });
  expect(portsOf([ask], DECLARED)).toEqual([{ port: 53, version: "http1" }, ...HTTP]);
});

test("compileHttpPorts(): Services that contradict each other make a port opaque", () => {
  const declared = [
    { target: 80, appProtocol: "http" },
    { target: 80, appProtocol: "grpc" },
    { target: 81, appProtocol: "http" },
    { target: 81, appProtocol: "tcp" },
    { target: 82, appProtocol: "http" },
    { target: 82, appProtocol: "" },
    { target: 82, appProtocol: "kubernetes.io/ws" },
  ];
  expect(portsOf([rules({ to: [GET_80] })], declared)).toEqual([{ port: 82, version: "http1" }]);
  expect(contradictedPorts({ declared, portNames: NONE })).toEqual([80, 81]);
});

test("declaredTlsPorts(): those that all Services that say anything of them declare as TLS", () => {
  const declared = [
    ...DECLARED,
    { target: 8443, appProtocol: "tls" },
    { target: 8443, appProtocol: "https" },
    { target: 8443, appProtocol: "" },
    { target: 9443, appProtocol: "tls" },
    { target: 9443, appProtocol: "tcp" },
    { target: 7443, appProtocol: "https" },
    { target: 7443, appProtocol: "http" },
    { target: "web", appProtocol: "tls" },
    { target: "gone", appProtocol: "tls" },
  ];
  const portNames = new Map([["web", 90]]);
  expect(declaredTlsPorts({ declared, portNames })).toEqual([90, 443, 8443]);
  expect(contradictedPorts({ declared, portNames })).toEqual([7443, 9443]);
});

test("compileHttpPorts(): a name is that of the pod's own port", () => {
  const declared = [
    { target: "web", appProtocol: "http" },
    { target: "gone", appProtocol: "http" },
  ];
  const portNames = new Map([["web", 8080]]);
  expect(
    compileHttpPorts({ asks: [rules({ to: [GET] })], authenticates: false, declared, portNames }),
  ).toEqual([{ port: 8080, version: "http1" }]);
});
