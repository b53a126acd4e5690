import { expect, test } from "@jest/globals";
import type { RouteSession } from "../../core/model/http-route.ts";
import type { HashOn } from "../../core/model/http-settings.ts";
import { simpleBalancer } from "../../test/fakes/simple-balancer.ts";
import type { Balancer } from "../balance/balancer.ts";
import type { Member } from "../balance/member.ts";
import type { FieldLines, RequestHead } from "../http/message.ts";
import { RequestBinding } from "./request-binding.ts";

const COOKIE: RouteSession = {
  kind: "cookie",
  name: "stick",
  absoluteTimeoutMs: 0,
  idleTimeoutMs: 0,
  isPermanent: false,
};
const SOURCE: HashOn = { kind: "source" };
const NOW = 1_790_000_000_000;

interface Asking {
  readonly fields?: FieldLines;
  readonly query?: string;
  readonly nowMs?: number;
  readonly session?: RouteSession | undefined;
  readonly hashOn?: HashOn;
  readonly port?: number;
}

function bind(asking: Asking): RequestBinding {
  const { fields = [], query = "", nowMs = NOW, session, hashOn = SOURCE, port = 80 } = asking;
  const head: RequestHead = {
    method: "GET",
    scheme: "http",
    authority: "web.shop",
    path: "/",
    query,
    fields,
    upgrade: "",
    version: "1.1",
  };
  return new RequestBinding(head, { hashOn, session, port }, nowMs);
}

function memberOf(balancer: Balancer, at: number): Member {
  const member = balancer.members[at];
  if (!member) throw new Error(`no member ${at}`);
  return member;
}

/** What a client sends back of it. */
function pairOf([name, value = ""]: FieldLines): FieldLines {
  return name === "set-cookie" ? ["cookie", value.split(";", 1)[0] ?? ""] : [name ?? "", value];
}

function boundOf(balancer: Balancer, asking: Asking): string {
  return bind(asking).callingAt(balancer).bound;
}

test("RequestBinding: the first answer sets a cookie that brings the next request back, and that is told once", () => {
  const balancer = simpleBalancer({ count: 5 });
  const member = memberOf(balancer, 3);
  const first = bind({ session: COOKIE });
  expect(first.callingAt(balancer).bound).toBe("");
  const told = first.fieldsFrom(balancer, member);
  expect(told).toEqual(["set-cookie", expect.stringMatching(/^stick=[\w.-]+; Path=\/; HttpOnly$/)]);
  const next = bind({ session: COOKIE, fields: pairOf(told), nowMs: NOW + 1e12 });
  expect(next.callingAt(balancer).bound).toBe(member.key);
  expect(next.fieldsFrom(balancer, member)).toEqual([]);
  // Another endpoint answered in its place: the session goes on there.
  expect(next.fieldsFrom(balancer, memberOf(balancer, 1))).toHaveLength(2);
});

test("RequestBinding: a session is bound to endpoints of its own Service and port, and to no address of a client's making", () => {
  const balancer = simpleBalancer({ count: 3 });
  const fields = pairOf(bind({ session: COOKIE }).fieldsFrom(balancer, memberOf(balancer, 0)));
  const other = simpleBalancer({ count: 3, service: { name: "other" } });
  expect(boundOf(balancer, { session: COOKIE, fields })).toBe("10.0.0.0:80");
  expect(boundOf(other, { session: COOKIE, fields })).toBe("");
  // The same pods, but another port of the Service, whose balancer has a list of its own.
  const again = simpleBalancer({ count: 3 });
  expect(boundOf(again, { session: COOKIE, fields, port: 81 })).toBe("");
  for (const made of ["10.0.0.1:80", "a.b.c.d", "", "../..", "%00"]) {
    expect(boundOf(balancer, { session: COOKIE, fields: ["cookie", `stick=${made}`] })).toBe("");
  }
  const gone = simpleBalancer({ count: 0 });
  expect(boundOf(gone, { session: COOKIE, fields })).toBe("");
});

test("RequestBinding: the absolute timeout ends a session however often it is used, and a permanent cookie says when", () => {
  const balancer = simpleBalancer({ count: 3 });
  const member = memberOf(balancer, 0);
  const session = { ...COOKIE, absoluteTimeoutMs: 60_000, isPermanent: true };
  const told = bind({ session }).fieldsFrom(balancer, member);
  expect(told[1]).toMatch(/; Max-Age=60; HttpOnly$/);
  const fields = pairOf(told);
  expect(boundOf(balancer, { session, fields, nowMs: NOW + 59_999 })).toBe(member.key);
  expect(boundOf(balancer, { session, fields, nowMs: NOW + 60_000 })).toBe("");
  const late = bind({ session, fields, nowMs: NOW + 60_000 }).fieldsFrom(balancer, member);
  expect(pairOf(late)).not.toEqual(fields);
});

test("RequestBinding: with an idle timeout each answer begins it anew, and the absolute one does not", () => {
  const balancer = simpleBalancer({ count: 3 });
  const member = memberOf(balancer, 2);
  const session = {
    ...COOKIE,
    idleTimeoutMs: 10_000,
    absoluteTimeoutMs: 25_000,
    isPermanent: true,
  };
  let fields: FieldLines = pairOf(bind({ session }).fieldsFrom(balancer, member));
  expect(boundOf(balancer, { session, fields, nowMs: NOW + 10_000 })).toBe("");
  for (const afterMs of [8_000, 16_000, 24_000]) {
    const binding = bind({ session, fields, nowMs: NOW + afterMs });
    expect(binding.callingAt(balancer).bound).toBe(member.key);
    const told = binding.fieldsFrom(balancer, member);
    expect(told[1]).toMatch(new RegExp(`Max-Age=${25 - afterMs / 1_000};`));
    fields = pairOf(told);
  }
  expect(boundOf(balancer, { session, fields, nowMs: NOW + 25_000 })).toBe("");
});

test("RequestBinding: a session of a header is told and read in that header", () => {
  const balancer = simpleBalancer({ count: 3 });
  const session = { ...COOKIE, kind: "header", name: "X-Stick" } as const;
  const told = bind({ session }).fieldsFrom(balancer, memberOf(balancer, 1));
  expect(told).toEqual(["x-stick", expect.stringMatching(/^[\w.-]+$/)]);
  expect(boundOf(balancer, { session, fields: told })).toBe("10.0.0.1:80");
});

test("RequestBinding: hashed is the header, query parameter or cookie that the policy names, and nothing where it is not there", () => {
  const balancer = simpleBalancer({ count: 2, algorithm: "maglev" });
  function hashed(hashOn: HashOn, asking: Asking = {}): string {
    return bind({ ...asking, hashOn }).callingAt(balancer).hashed;
  }
  const fields = ["x-user", "anna", "cookie", "u=berta; v=2"];
  expect(hashed({ kind: "header", name: "x-user" }, { fields })).toBe("anna");
  expect(hashed({ kind: "header", name: "host" })).toBe("web.shop");
  expect(hashed({ kind: "header", name: "x-user" })).toBe("");
  expect(hashed({ kind: "query", name: "user" }, { query: "?a=b&user=c%20d" })).toBe("c d");
  expect(hashed({ kind: "query", name: "user" })).toBe("");
  expect(hashed({ kind: "cookie", name: "u", path: "/", ttlMs: 0 }, { fields })).toBe("berta");
  expect(hashed(SOURCE, { fields })).toBe("");
});

test("RequestBinding: a cookie to hash that is not there is made, and told where the algorithm hashes", () => {
  const hashOn: HashOn = { kind: "cookie", name: "u", path: "/shop", ttlMs: 90_500 };
  const balancer = simpleBalancer({ count: 2, algorithm: "ring_hash" });
  const binding = bind({ hashOn });
  const { hashed } = binding.callingAt(balancer);
  expect(hashed).toMatch(/^[0-9a-f]{32}$/);
  const told = binding.fieldsFrom(balancer, memberOf(balancer, 0));
  expect(told).toEqual(["set-cookie", `u=${hashed}; Path=/shop; Max-Age=91; HttpOnly`]);
  const next = bind({ hashOn, fields: pairOf(told) });
  expect(next.callingAt(balancer).hashed).toBe(hashed);
  expect(next.fieldsFrom(balancer, memberOf(balancer, 0))).toEqual([]);
  const inTurn = simpleBalancer({ count: 2 });
  expect(bind({ hashOn }).fieldsFrom(inTurn, memberOf(inTurn, 0))).toEqual([]);
});
